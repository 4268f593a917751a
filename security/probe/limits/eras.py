"""Every revision of the protocol draws on the same allowance."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import replace

from harness.client import LEGACY_VERSIONS, VERSIONS, ClientError, HttpStatusError, NoAnswerError
from harness.collector import OpenCheck
from security.probe.limits.caller import Caller, calling
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import TRIES, Exhausted, exhausted
from security.probe.limits.sending import in_turn
from security.probe.site import Site


@limit_probe("eras", "All revisions of the protocol share one allowance", at_least=2)
def eras(check: OpenCheck, site: Site) -> None:
    """With nothing left in one revision, call in each of the others, and without naming one."""
    with exhausted(site, check) as drained, contextlib.ExitStack() as stack:
        callers = list(_others(site, drained, stack))
        if not callers:
            check.not_applicable(f"it speaks one revision only, {drained.caller.version}")
        drained.let_others_refill()
        for name, caller in callers:
            requests = [caller.request()] * TRIES
            drained.try_way(check, name, f"in {name}", functools.partial(in_turn, drained.line, requests))


def _others(site: Site, drained: Exhausted, stack: contextlib.ExitStack) -> Iterator[tuple[str, Caller]]:
    spoken = drained.caller.version
    legacy = drained.caller if spoken in LEGACY_VERSIONS else None
    for version in VERSIONS:
        if version == spoken:
            continue
        try:
            caller = stack.enter_context(calling(site, drained.caller.site, drained.caller.tenant, version=version))
        except (NoAnswerError, HttpStatusError):
            raise
        except ClientError:  # it does not speak that
            continue
        legacy = caller if version in LEGACY_VERSIONS else legacy
        yield f"revision {version}", caller
    if legacy is not None:
        yield "a revision that is not named", replace(legacy, version=None)
