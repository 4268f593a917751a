"""Ask the probes: those that share a server side by side, then those that need it alone; and list what is left out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.collector import Run
from harness.errors import Inconclusive
from security.probe.probe import Effect, Probe
from security.probe.site import OPERATOR, Site

AT_ONCE = 4


def ask_all(run: Run, probes: Sequence[Probe], site: Site, named: Sequence[str] = ()) -> None:
    """Make a check of each probe, in their order. `named` are those that were asked for by name.

    To a production target only reading probes are sent unless named.
    """
    first = len(run.checks)
    asked = [probe for probe in probes if not _leave_out(run, probe, site, named)]
    together, alone = ([probe for probe in asked if probe.alone is flag] for flag in (False, True))
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe")
    try:
        list(pool.map(lambda probe: _ask(run, probe, site), together))
    finally:
        # An interruption does not wait for answers: the server's end ends them, or their own time-outs.
        pool.shutdown(wait=False, cancel_futures=True)
    for probe in alone:
        _ask(run, probe, site)
    order = {probe.id: place for place, probe in enumerate(probes)}
    run.checks[first:] = sorted(run.checks[first:], key=lambda check: order[check.id])


def _leave_out(run: Run, probe: Probe, site: Site, named: Sequence[str]) -> bool:
    """Whether a probe is not asked; then it is listed with the reason."""
    if site.target.production and probe.effect is not Effect.READS and probe.id not in named:
        reason = f"left out: it {probe.effect}, and {site.target.name} is a production target; ask with --only"
        run.skip(probe.id, probe.title, f"{reason} {probe.id}", severity=probe.severity)
        return True
    lacking = site.lacks(probe.needs)
    if not lacking:
        return False
    with run.check(probe.id, probe.title, severity=probe.severity) as check:
        if given := [need for need in lacking if need in OPERATOR]:
            raise Inconclusive(f"it needs {given[0]}")
        check.not_applicable(f"it needs {lacking[0]}")
    return True


def _ask(run: Run, probe: Probe, site: Site) -> None:
    with run.check(probe.id, probe.title, severity=probe.severity, at_least=probe.at_least) as check:
        check.evidence.append(f"it {probe.effect}")
        probe.ask(check, site)
