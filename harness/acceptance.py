"""Findings that do not count, because a waiver accepts them or an earlier record knows them: marked, and told apart."""

from collections.abc import Mapping

from harness.record import Check, failure_reason
from harness.verdict import CheckStatus


def accept(check: Check, why: Mapping[str, str]) -> Check:
    """The check with every finding marked that `why` names by its fingerprint, with the reason why it does not count.

    A failed check becomes waived where nothing else is left: no other finding, and nothing that it failed for besides
    its findings. Other checks, and one of whose findings none is named, are returned as they are.
    """
    if check.status is not CheckStatus.FAILED:
        return check
    findings = tuple(
        found.model_copy(update={"accepted": why[found.fingerprint]})
        if found.fingerprint in why and not found.accepted
        else found
        for found in check.findings
    )
    if findings == check.findings:
        return check
    rest = tuple(found for found in findings if not found.accepted)
    if rest or check.failures:
        return check.model_copy(update={"findings": findings, "reason": failure_reason(rest, check.failures)})
    reason = "; ".join(dict.fromkeys(found.accepted for found in findings))
    return check.model_copy(update={"findings": findings, "reason": reason, "status": CheckStatus.WAIVED})
