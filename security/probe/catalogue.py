"""Every probe there is, in the order of their checks."""

from security.probe.authentication.absent_key import absent_key
from security.probe.probe import Probe

PROBES: tuple[Probe, ...] = (absent_key,)
