"""Open the source of advisories that ops.toml names, and say what it is and how old."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.errors import Inconclusive
from harness.process import Command, child_environment, running

SERVICE, OSV = "service", "osv"
MIRROR = Path(__file__).with_name("mirror.py")
FETCH = (
    "take a fresh copy of PyPA's advisory-database to this machine, and name its folder `vulns` as `advisories` in "
    "[audit] of ops.toml (docs/AUDIT.md has the commands)"
)
"""What to do where there are no usable advisories."""
READY_SECONDS = 30.0
SKEW = timedelta(days=1)
"""How far ahead of this machine's clock the newest advisory may be."""
# What a program needs of the operator's shell to reach a service on the network.
NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True)
class Source:
    """Advisories that can be asked: pip-audit's arguments and settings for it, and what a report says of it.

    `newest` is when the latest advisory was modified; `since` when the last of the ten latest was, from which the age
    is counted: one file may be fresh in a directory that nobody has fetched for years. Both None for a service, which
    is asked as it stands now. `unjudged` says, when all was asked, which advisories could not be judged, and why.
    """

    arguments: Sequence[str]
    description: str
    settings: Mapping[str, str]
    newest: datetime | None = None
    since: datetime | None = None
    unjudged: Callable[[], Sequence[str]] = tuple

    def told(self, now: datetime) -> str:
        """What a report says of it: which one, how many, up to when and how old."""
        return self.description if self.since is None else f"{self.description}, {(now - self.since).days} days ago"

    @property
    def lack(self) -> str:
        """What it may mean that it does not know what everybody knows; empty for a service, which knows that."""
        return "" if self.newest is None else f"{self.description}: the directory is incomplete, or was not asked"

    @property
    def remedy(self) -> str:
        """What to do where it gave no answer."""
        return f"where no service can be reached, {FETCH}" if self.newest is None else FETCH

    def doubt(self, now: datetime, limit: timedelta) -> str:
        """Why that nothing was found here would mean nothing; empty when there is no reason."""
        if self.newest is None or self.since is None:
            return ""
        if self.newest - now > SKEW:
            return f"{self.description}: the newest is dated {self.newest:%Y-%m-%d}, which has not come yet"
        age = now - self.since
        if age > limit:
            return (
                f"{self.told(now)}, and at most {limit.days} are allowed (advisories_days in [audit] of ops.toml): "
                f"{FETCH}"
            )
        return ""


@contextlib.contextmanager
def open_source(
    setting: str, *, repository: Path, python: Path, logs: Path, environ: Mapping[str, str]
) -> Iterator[Source]:
    """Yield the source: `service`, `osv`, or a mirror's directory, relative to the repository, served meanwhile.

    Raises Inconclusive or ProcessError where there are no usable advisories.
    """
    if setting in {SERVICE, OSV}:
        settings = {name: environ[name] for name in NETWORK if name in environ}
        which = "pypi" if setting == SERVICE else "osv"
        yield Source(("--vulnerability-service", which), f"advisories: {setting}, asked as it stands", settings)
        return
    directory = repository / setting
    if not directory.is_dir():
        raise Inconclusive(f"there is no directory of advisories at {setting}: {FETCH}")
    command = Command("mirror", (str(python), str(MIRROR), str(directory)), child_environment({}, environ), repository)
    with running(command, logs=logs) as child:
        ready = child.wait_for_event("ready", seconds=READY_SECONDS)
        newest, since = (datetime.fromisoformat(ready[each]).astimezone(UTC) for each in ("newest", "since"))
        yield Source(
            ("--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{ready['port']}/v1/query"),
            f"advisories: the {ready['advisories']} of {directory.name}, up to {newest:%Y-%m-%d}, "
            f"the newest {ready['recent']} of them since {since:%Y-%m-%d}",
            {},
            newest,
            since,
            lambda: _unjudged(child.stdout),
        )


def _unjudged(stdout: Path) -> Sequence[str]:
    """The reasons that the mirror has told so far, each once."""
    told = [json.loads(line) for line in stdout.read_text(encoding="utf-8").splitlines()]
    return tuple(dict.fromkeys(each["reason"] for each in told if each["event"] == "unjudged"))
