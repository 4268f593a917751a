"""Answer OSV's `POST /v1/query` on loopback from a directory of PyPA advisory files: for where no service is reachable.

    python mirror.py DIRECTORY

Run by the scanners' interpreter, which has PyYAML and packaging. When it listens it prints one JSON line: the event
"ready", its port, how many advisories it has, and when the newest of them was modified. A directory with a file that is
no advisory is refused: what was left out of it could be what is looked for.
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
TIMES = ("modified", "published", "withdrawn")
# Looked for before anything is parsed: two thousand files take seconds to parse, and few are ever asked for.
_NAME = re.compile(r"^\s+(?:- )?name:\s*['\"]?([A-Za-z0-9._-]+)", re.MULTILINE)
_ID = re.compile(r"^id:\s*\S+", re.MULTILINE)
_MODIFIED = re.compile(r"^modified:\s*['\"]?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)", re.MULTILINE)
Advisory = dict[str, Any]


class Advisories:
    """The advisories of a directory by the package that they are about. Raises ValueError where one makes no sense."""

    def __init__(self, directory: Path) -> None:
        self.newest = ""
        """When the last of them was modified, as RFC 3339 has it."""
        self.count = 0
        self._texts: dict[str, list[tuple[str, str]]] = {}
        self._parsed: dict[str, list[Advisory]] = {}
        for path in sorted(directory.rglob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            modified, names = _MODIFIED.search(text), _NAME.findall(text)
            if not (modified and names and _ID.search(text)):
                raise ValueError(f"{path.name} is no advisory")
            self.count += 1
            self.newest = max(self.newest, f"{modified[1]}T{modified[2]}Z")
            for name in {canonicalize_name(name) for name in names}:
                self._texts.setdefault(name, []).append((path.name, text))
        if not self.count:
            raise ValueError(f"no advisory is in {directory.name}")

    def about(self, package: str, version: str) -> list[Advisory]:
        """The advisories by which this version of the package is affected."""
        name = canonicalize_name(package)
        if name not in self._parsed:
            self._parsed[name] = [_parse(*each) for each in self._texts.get(name, ())]
        asked = Version(version)
        return [each for each in self._parsed[name] if any(_is_affected(asked, own) for own in _of(each, name))]


def _parse(name: str, text: str) -> Advisory:
    # Every scalar stays the text that it is: a version 1.10 must not become the number 1.1, nor a time an object.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)(text)
    try:
        advisory = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(advisory, dict) or not isinstance(advisory.get("affected"), list):
        raise ValueError(f"{name} does not say what is affected")  # noqa: TRY004 -- the file's value, not a type
    # pip-audit would pass over a later schema without a word.
    if str(advisory.get("schema_version", "1")).split(".")[0] != "1":
        raise ValueError(f"{name} has schema version {advisory['schema_version']}")
    return advisory | {key: _time(advisory[key]) for key in TIMES if key in advisory}


def _time(text: str) -> str:
    """As RFC 3339 has it, which pip-audit insists on: some files have the space and offset of YAML's own times."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _of(advisory: Advisory, name: str) -> Iterator[Mapping[str, Any]]:
    for affected in advisory["affected"]:
        package = affected.get("package", {})
        if package.get("ecosystem") == ECOSYSTEM and canonicalize_name(package.get("name", "")) == name:
            yield affected


def _is_affected(version: Version, affected: Mapping[str, Any]) -> bool:
    """OSV's evaluation: listed among the versions, or within a range of the ecosystem's own versions."""
    if any(_equal(version, listed) for listed in affected.get("versions") or ()):
        return True
    ranges = (each for each in affected.get("ranges") or () if each.get("type") == "ECOSYSTEM")
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
            found = self._advisories.about(package["name"], version) if package["ecosystem"] == ECOSYSTEM else []
        except (KeyError, TypeError, ValueError) as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            self._answer(500, {"message": str(error)})
            return
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


def main(directory: Path) -> int:
    """Serve until the process is ended. Returns 1 when the directory is refused."""
    try:
        advisories = Advisories(directory)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, advisories)) as server:
        ready = {"port": server.server_address[1], "advisories": advisories.count, "newest": advisories.newest}
        sys.stdout.write(f"{json.dumps({'event': 'ready', **ready})}\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
