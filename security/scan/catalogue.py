"""Every scanner there is."""

from datetime import datetime, timedelta

from security.model import AuditTable
from security.scan.ansible_lint import AnsibleLint
from security.scan.bandit import Bandit
from security.scan.checkov import Checkov
from security.scan.detect_secrets import DetectSecrets
from security.scan.hadolint import Hadolint
from security.scan.history import History
from security.scan.pip_audit import PipAudit
from security.scan.scanner import Scanner
from security.scan.units import Units
from security.scan.zizmor import Zizmor


def catalogue(policy: AuditTable, now: datetime) -> tuple[Scanner, ...]:
    """The scanners in the order of their checks: what two find is told by the earlier one."""
    return (
        Bandit(leave_out=policy.samples),
        DetectSecrets(samples=policy.samples),
        History(),
        PipAudit(policy.advisories, timedelta(days=policy.advisories_days), now),
        Hadolint(leave_out=policy.samples),
        Zizmor(leave_out=policy.samples),
        AnsibleLint(leave_out=policy.samples),
        Checkov(leave_out=policy.samples),
        Units(policy.units_exposure, leave_out=policy.samples),
    )
