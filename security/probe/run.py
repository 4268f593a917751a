"""Ask probes, each in a check of its own, and list those that are left out with the reason."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.background import for_each
from harness.client import ClientError
from harness.collector import Run
from harness.errors import Inconclusive
from harness.verdict import CheckStatus, Severity
from security.findings import ORDER
from security.probe.probe import Effect, Probe
from security.probe.site import OPERATOR, Site

AT_ONCE = 4
"""How many probes share a server: most of their time they wait for it."""


def ask_waiting(run: Run, probes: Sequence[Probe], site: Site, named: Sequence[str]) -> None:
    """Ask those probes that wait for most of their time, all at once. `named` are those that were asked for by name."""
    waiting = [probe for probe in probes if probe.waits]
    for_each(lambda probe: _ask(run, probe, site, named), waiting, len(waiting))


def ask_together(run: Run, probes: Sequence[Probe], site: Site, named: Sequence[str]) -> None:
    """Ask those that others do not disturb, several at once; then, in turn, those that run apart from other probes.

    Where no tenant can be made for a probe, what one writes others read: then those that write are among the latter.
    """
    asked = [probe for probe in probes if not probe.alone and not probe.waits]
    apart = [each for each in asked if each.apart or (each.effect is Effect.WRITES and not site.keys)]
    for_each(lambda probe: _ask(run, probe, site, named), [each for each in asked if each not in apart], AT_ONCE)
    for_each(lambda probe: _ask(run, probe, site, named), apart, 1)


def ask_alone(run: Run, probes: Sequence[Probe], site: Site, named: Sequence[str]) -> None:
    """Ask those that measure time or a limit, one after the other; nothing but what waits may run meanwhile."""
    for probe in probes:
        if probe.alone:
            _ask(run, probe, site, named)


@contextlib.contextmanager
def limited_once(site: Site) -> Iterator[Site]:
    """The site with one limited server for all probes: opened when it is first asked for, and kept to the end.

    Once the site is over none is opened any more, and one that is being opened is waited for and closed.
    """
    limited = site.limited
    if limited is None:
        yield site
        return
    opened: list[Site] = []
    lock = threading.Lock()
    stack = contextlib.ExitStack()

    def shared() -> contextlib.AbstractContextManager[Site]:
        with lock:
            if site.over.is_set():
                raise Inconclusive("the audit ended before a limited server was needed")
            if not opened:
                opened.append(stack.enter_context(limited()))
            return contextlib.nullcontext(opened[0])

    try:
        yield replace(site, limited=shared)
    finally:
        site.over.set()
        with lock:
            stack.close()


def list_mild(run: Run, probes: Sequence[Probe], fail_on: Severity) -> None:
    """Let what probes found that is milder than `fail_on` stand in the record, and not count."""
    names = {probe.id for probe in probes}
    for place, check in enumerate(run.checks):
        mild = ORDER.index(check.severity) < ORDER.index(fail_on)
        if mild and check.id in names and check.status is CheckStatus.FAILED:
            reason = f"below {fail_on}, where findings begin to count: {check.reason}"
            run.checks[place] = check.model_copy(update={"status": CheckStatus.NOT_APPLICABLE, "reason": reason})


def _ask(run: Run, probe: Probe, site: Site, named: Sequence[str]) -> None:
    if site.target.production and probe.effect is not Effect.READS and probe.id not in named:
        reason = f"left out: it {probe.effect}, and {site.target.name} is in production; --only {probe.id} asks it"
        run.skip(probe.id, probe.title, reason, severity=probe.severity, categories=probe.categories)
        return
    with run.check(
        probe.id, probe.title, severity=probe.severity, at_least=probe.at_least, categories=probe.categories
    ) as check:
        lacking = site.lacks(probe.needs)
        if given := [need for need in lacking if need in OPERATOR]:
            raise Inconclusive(f"it needs {given[0]}")
        if lacking:
            check.not_applicable(f"it needs {lacking[0]}")
            return
        check.evidence.append(f"it {probe.effect}")
        probe.ask(check, site)
        if check.settled is None:
            _require_alive(site)


def _require_alive(site: Site) -> None:
    """Raise unless the server still answers its owner: what a dying one refuses, it does not refuse for good reason."""
    try:
        site.connect().close()
    except ClientError as error:
        raise Inconclusive(f"afterwards the server did not answer its owner: {error}") from error
