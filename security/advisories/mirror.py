"""Answer OSV's `POST /v1/query` on loopback from a directory of PyPA advisory files: for where no service is reachable.

    python mirror.py DIRECTORY

Run by the scanners' interpreter, which has PyYAML and packaging. When it listens it prints one JSON line: the event
"ready", its port, how many advisories it has, when the newest of them was modified, and since when the `recent` newest
were. A directory with a file that is no advisory is refused: what was left out of it could be what is looked for. An
advisory that was asked for and cannot be judged is told in a line of its own, the event "unjudged", before the answer.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ECOSYSTEM = "PyPI"
LARGEST_BODY = 65_536
RECENT = 10
"""How many of the newest advisories tell how old the directory is: one or a few may be fresh, the operator's own, in a
copy that was left lying. PyPA modifies ten within days."""
TIMES = ("modified", "published", "withdrawn")
JUDGED, BESIDE = "ECOSYSTEM", "GIT"
"""The type of the ranges that are of versions, and that of those which only tell the same by commits."""
# Looked for before anything is parsed: two thousand files take seconds to parse, and few are ever asked for.
_NAME = re.compile(r"^\s+(?:- )?name:\s*['\"]?([A-Za-z0-9._-]+)", re.MULTILINE)
_ID = re.compile(r"^id:\s*\S+", re.MULTILINE)
_MODIFIED = re.compile(r"^modified:\s*['\"]?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)", re.MULTILINE)
Advisory = dict[str, Any]


class Advisories:
    """The advisories of a directory by the package that they are about. Raises ValueError where one makes no sense."""

    def __init__(self, directory: Path) -> None:
        times = []
        self._texts: dict[str, list[tuple[str, str]]] = {}
        self._parsed: dict[str, Advisory] = {}
        for path in sorted(directory.rglob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            modified, names = _MODIFIED.search(text), _NAME.findall(text)
            has = {"id": _ID.search(text), "modified (a date and time)": modified, "package's name": names}
            if lacking := [each for each, found in has.items() if not found]:
                raise ValueError(
                    f"{path.relative_to(directory)} is no advisory, it has no {' and no '.join(lacking)}: complete it, "
                    f"or name a folder that holds advisories alone"
                )
            assert modified is not None
            times.append(f"{modified[1]}T{modified[2]}Z")
            for name in {canonicalize_name(name) for name in names}:
                self._texts.setdefault(name, []).append((str(path.relative_to(directory)), text))
        if not times:
            raise ValueError(f"no advisory is in {directory.name}: PyPA's are a YAML file each")
        times.sort(reverse=True)
        self.count = len(times)
        self.recent = min(RECENT, self.count)
        self.newest = times[0]
        """When the last of them was modified, as RFC 3339 has it."""
        self.since = times[self.recent - 1]
        """When the oldest of the `recent` newest was."""

    def about(self, package: str, version: str) -> tuple[list[Advisory], list[str]]:
        """The advisories by which this version of the package is affected, and why others cannot be judged."""
        name, asked = canonicalize_name(package), Version(version)
        affecting, unjudged = [], []
        for file, text in self._texts.get(name, ()):
            try:
                if file not in self._parsed:
                    self._parsed[file] = _parse(text)
                if _affects(self._parsed[file], name, asked):
                    affecting.append(self._parsed[file])
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                unjudged.append(f"{file} says nothing of {name} {version} that can be judged: {error}")
        return affecting, unjudged


def _parse(text: str) -> Advisory:
    # Every scalar stays the text that it is: a version 1.10 must not become the number 1.1, nor a time an object.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)(text)
    try:
        advisory = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(advisory, dict) or not isinstance(advisory.get("affected"), list):
        raise ValueError("it does not say what is affected")  # noqa: TRY004 -- the file's value, not a type
    # pip-audit would pass over a later schema without a word.
    if str(advisory.get("schema_version", "1")).split(".")[0] != "1":
        raise ValueError(f"it has schema version {advisory['schema_version']}")
    return advisory | {key: _time(advisory[key]) for key in TIMES if key in advisory}


def _time(text: str) -> str:
    """As RFC 3339 has it, which pip-audit insists on: some files have the space and offset of YAML's own times."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _of(advisory: Advisory, name: str) -> Iterator[Mapping[str, Any]]:
    for affected in advisory["affected"]:
        package = affected.get("package", {})
        if package.get("ecosystem") == ECOSYSTEM and canonicalize_name(package.get("name", "")) == name:
            yield affected


def _affects(advisory: Advisory, name: str, version: Version) -> bool:
    """Whether a version is affected. Raises ValueError where nothing says so, and not all of it can be judged."""
    parts = list(_of(advisory, name))
    if any(_is_affected(version, part) for part in parts):
        return True
    for part in () if "withdrawn" in advisory else parts:
        types = {str(each.get("type")) for each in part.get("ranges") or ()}
        if strange := sorted(types - {JUDGED, BESIDE}):
            raise ValueError(f"it has a range of type {strange[0]}, and only {JUDGED} is of PyPI's versions")
        if JUDGED not in types and not part.get("versions"):
            raise ValueError(f"it has neither versions nor a range of type {JUDGED}")
    return False


def _is_affected(version: Version, affected: Mapping[str, Any]) -> bool:
    """OSV's evaluation: listed among the versions, or within a range of the ecosystem's own versions."""
    if any(_equal(version, listed) for listed in affected.get("versions") or ()):
        return True
    ranges = (each for each in affected.get("ranges") or () if each.get("type") == JUDGED)
    return any(_is_within(version, each.get("events") or ()) for each in ranges)


def _is_within(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    inside = False
    steps = [(Version("0.dev0" if at == "0" else at), kind) for event in events for kind, at in event.items()]
    for at, kind in sorted(steps):
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _equal(version: Version, listed: str) -> bool:
    try:
        return version == Version(listed)
    except InvalidVersion:
        return False


class Handler(BaseHTTPRequestHandler):
    """One question after another; what cannot be answered is an error, never an empty answer."""

    protocol_version = "HTTP/1.1"

    def __init__(self, advisories: Advisories, *arguments: Any) -> None:
        self._advisories = advisories
        super().__init__(*arguments)

    def do_POST(self) -> None:
        """Answer `{"package": {"name", "ecosystem"}, "version"}` with `{"vulns": […]}`, or {} when there are none."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/v1/query" or not 0 < length <= LARGEST_BODY:
            self.close_connection = True
            self._answer(404, {"message": "only POST /v1/query is answered"})
            return
        try:
            question = json.loads(self.rfile.read(length))
            package, version = question["package"], question["version"]
            own = package["ecosystem"] == ECOSYSTEM
            found, unjudged = self._advisories.about(package["name"], version) if own else ([], [])
        except (KeyError, TypeError, ValueError) as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            self._answer(500, {"message": str(error)})
            return
        for reason in unjudged:
            _tell("unjudged", reason=reason)
        self._answer(200, {"vulns": found} if found else {})

    def log_message(self, *_: Any) -> None:
        """Say nothing of requests."""

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _tell(event: str, **more: object) -> None:
    sys.stdout.write(f"{json.dumps({'event': event, **more})}\n")
    sys.stdout.flush()


def main(directory: Path) -> int:
    """Serve until the process is ended. Returns 1 when the directory is refused."""
    try:
        advisories = Advisories(directory)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, advisories)) as server:
        _tell(
            "ready",
            port=server.server_address[1],
            advisories=advisories.count,
            newest=advisories.newest,
            recent=advisories.recent,
            since=advisories.since,
        )
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
