"""waivers.toml: failures that are accepted for a while, with a reason, an owner and an end.

    [[waiver]]
    id = "GHSA-xxxx"          # a check's id, or a finding's fingerprint
    job = "audit"
    reason = "…"
    owner = "…"
    expires = 2026-12-31      # 90 days from today at most

An expired waiver waives nothing and fails the run; so does one that no longer matches anything, where every check that
could have found what it covers came to an answer. Where one did not, nothing is said of whether it is still needed.
"""

import tomllib
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from harness.acceptance import accept
from harness.errors import UsageError
from harness.record import Check, CheckId, Finding, Kind, Model, fingerprint
from harness.verdict import CheckStatus, Severity

LONGEST = timedelta(days=90)
CHECK_ID = "waivers"
MOST_NAMED = 3
"""How many checks without an answer are named where a waiver's need is not known."""
_EXPIRED, _NEEDED, _UNKNOWN, _UNNEEDED = "expired", "needed", "unknown", "unneeded"

Words = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Waiver(Model):
    """One accepted exception."""

    id: CheckId
    job: Kind
    reason: Words
    owner: Words
    expires: Annotated[date, Field(strict=True)]
    """The last day on which it holds."""

    @property
    def explanation(self) -> str:
        """Why it was accepted, who answers for it, and until when."""
        return f"{self.reason} (accepted by {self.owner} until {self.expires})"


class _File(Model):
    waiver: tuple[Waiver, ...] = ()


def load_waivers(path: Path, today: date) -> tuple[Waiver, ...]:
    """The waivers in a file; none where there is no file. Raises UsageError that names the waiver and what is wrong."""
    try:
        waivers = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).waiver
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(step + 1) if isinstance(step, int) else step for step in problem["loc"])
        raise UsageError(f"{path}: {place}: {problem['msg']}") from None
    seen: set[tuple[str, str]] = set()
    for waiver in waivers:
        if waiver.expires > today + LONGEST:
            raise UsageError(f"{path}: waiver {waiver.id} lasts until {waiver.expires}, more than {LONGEST.days} days")
        if (waiver.job, waiver.id) in seen:
            raise UsageError(f"{path}: waiver {waiver.id} stands twice for {waiver.job}")
        seen.add((waiver.job, waiver.id))
    return waivers


def apply_waivers(kind: str, checks: Sequence[Check], waivers: Iterable[Waiver], today: date) -> tuple[Check, ...]:
    """The checks with waived failures marked, and one more check on the waivers of this job when it has any.

    A check whose id is waived gets the status waived, whatever it failed for. Waived findings are marked, and a check
    gets that status where they leave nothing: neither another finding, nor anything that it failed for besides.
    """
    ours = [waiver for waiver in waivers if waiver.job == kind]
    if not ours:
        return tuple(checks)
    current = {waiver.id: waiver for waiver in ours if waiver.expires >= today}
    waived = tuple(_waive(check, current) for check in checks)
    return (*waived, _check_waivers(ours, checks, today))


def _waive(check: Check, current: dict[str, Waiver]) -> Check:
    waiver = current.get(check.id)
    if waiver is None or check.status is not CheckStatus.FAILED:
        return accept(check, {name: waiver.explanation for name, waiver in current.items()})
    findings = tuple(found.model_copy(update={"accepted": waiver.explanation}) for found in check.findings)
    reason = f"{waiver.explanation}. It found: {check.reason}"
    return check.model_copy(update={"status": CheckStatus.WAIVED, "reason": reason, "findings": findings})


def _check_waivers(waivers: Sequence[Waiver], checks: Sequence[Check], today: date) -> Check:
    told = [(waiver, *_state(waiver, checks, today)) for waiver in waivers]
    problems = [
        Finding(fingerprint=fingerprint(CHECK_ID, waiver.id), rule=state, message=message, location=waiver.id)
        for waiver, state, message in told
        if state in {_EXPIRED, _UNNEEDED}
    ]
    unknown = sum(state == _UNKNOWN for _, state, _ in told)
    return Check(
        id=CHECK_ID,
        # The title is all that is read of a check that passed: it must not say yes for what nobody looked at.
        title=f"Every waiver is current; whether it is still needed is not known of {unknown} of {len(waivers)}"
        if unknown
        else "Every waiver is current and still needed",
        status=CheckStatus.FAILED if problems else CheckStatus.PASSED,
        severity=Severity.MEDIUM,
        reason="; ".join(problem.message for problem in problems),
        examined=len(waivers),
        evidence=tuple(f"{waiver.id}: {waiver.explanation}: {message}" for waiver, _, message in told),
        findings=tuple(problems),
    )


def _state(waiver: Waiver, checks: Sequence[Check], today: date) -> tuple[str, str]:
    """What this run knows of a waiver, and that in words."""
    if waiver.expires < today:
        return _EXPIRED, f"the waiver {waiver.id} ended on {waiver.expires}: mend what it covers, or renew it"
    if any(_matches(waiver, check) for check in checks):
        return _NEEDED, "it is still needed"
    if unanswered := [check.id for check in checks if _could_match(waiver, check, checks)]:
        shown = ", ".join(unanswered[:MOST_NAMED])
        more = f" and {len(unanswered) - MOST_NAMED} more" if len(unanswered) > MOST_NAMED else ""
        return _UNKNOWN, f"whether it is still needed is not known: no answer, or not a whole one, from {shown}{more}"
    return _UNNEEDED, f"the waiver {waiver.id} matches nothing any more: remove it from waivers.toml"


def _matches(waiver: Waiver, check: Check) -> bool:
    if check.id == waiver.id:
        return check.status is CheckStatus.FAILED
    return any(found.fingerprint == waiver.id for found in check.findings)


def _could_match(waiver: Waiver, check: Check, checks: Sequence[Check]) -> bool:
    """Whether a check that did not match might have, had it come to a whole answer.

    A finding may be any check's that gave none, or that stopped at a failure. A check by its id is that check alone;
    that it does not apply to this target tells nothing of another, while findings of what is not there cannot be.
    """
    unmeasured = check.status in {CheckStatus.INCONCLUSIVE, CheckStatus.SKIPPED}
    if any(each.id == waiver.id for each in checks):
        return check.id == waiver.id and (unmeasured or check.status is CheckStatus.NOT_APPLICABLE)
    return unmeasured or bool(check.failures)
