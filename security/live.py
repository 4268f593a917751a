"""The live part of an audit: the target opened and its probes asked, beside the scanners as far as they may be."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.background import in_background
from harness.collector import Run
from harness.config import LOCAL, TOKENS, Configuration, read_token
from harness.errors import Inconclusive
from security.lockfile import lockfile
from security.probe.local import open_local
from security.probe.probe import Probe
from security.probe.remote import open_remote
from security.probe.run import ask_alone, ask_together, ask_waiting, limited_once
from security.probe.site import Site

TARGET = "target"
"""The id of the check that there is a server to probe."""


def require_target(name: str, configuration: Configuration, environ: Mapping[str, str]) -> None:
    """Raise ConfigurationError when ops.toml has no such target, or a token that it names is missing."""
    if name != LOCAL:
        for token in TOKENS:
            read_token(configuration, name, environ, token)


@contextlib.contextmanager
def open_site(
    name: str, configuration: Configuration, *, repository: Path, logs: Path, environ: Mapping[str, str]
) -> Iterator[Site]:
    """The site of this name: `local` is started here, others are in ops.toml."""
    if name == LOCAL:
        opened = open_local(logs=logs, environ=environ)
    else:
        opened = open_remote(name, configuration, logs=logs, environ=environ)
    with opened as site:
        yield replace(site, lockfile=lockfile(repository, name))


@dataclass(frozen=True)
class Asking:
    """The probes of a target that answers: those that wait, begun, and those that share it, done."""

    site: Site
    waiting: "Future[None]"


@dataclass(frozen=True)
class Probing:
    """Probes that are being asked in the background."""

    run: Run
    probes: Sequence[Probe]
    named: Sequence[str]
    asking: "Future[Asking | None]"
    """None where the target did not answer."""

    def finish(self) -> None:
        """Wait for them, and ask those that need the machine for themselves."""
        asking = self.asking.result()
        if asking is not None:
            ask_alone(self.run, self.probes, asking.site, self.named)
            asking.waiting.result()


@contextlib.contextmanager
def probing(
    run: Run, probes: Sequence[Probe], named: Sequence[str], target: AbstractContextManager[Site]
) -> Iterator[Probing]:
    """Open the target and begin to ask its probes; what was started for them is gone at the end."""
    with ExitStack() as stack:
        opening = in_background(lambda: stack.enter_context(limited_once(stack.enter_context(target))))
        try:
            asking = in_background(lambda: _begin(run, probes, named, opening))
            yield Probing(run, probes, named, asking)
        finally:
            wait([opening])  # what it started is on the stack by then
            if opening.exception() is None:
                opening.result().over.set()
                opening.result().begin_to_end()


def _begin(run: Run, probes: Sequence[Probe], named: Sequence[str], opening: "Future[Site]") -> Asking | None:
    site = None
    with run.check(TARGET, "The target answers its owner, and can be probed") as check:
        opened = opening.result()
        run.target = opened.target
        with opened.connect() as client:
            check.examined = len(list(client.list_tools()))
        check.evidence.append(f"{opened.url} offers {check.examined} tools")
        if check.examined:  # of a server without tools, hardly a question could be answered
            site = opened
    if site is None:
        for probe in probes:
            with run.check(probe.id, probe.title, severity=probe.severity, categories=probe.categories):
                raise Inconclusive("it was not asked: the target did not answer its owner, or offers no tool")
        return None
    waiting = in_background(lambda: ask_waiting(run, probes, site, named))
    ask_together(run, probes, site, named)
    return Asking(site, waiting)
