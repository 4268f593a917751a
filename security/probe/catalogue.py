"""Every probe there is, in the order of their checks."""

from security.probe.authentication.absent_key import absent_key
from security.probe.configuration.errors import errors
from security.probe.configuration.headers import headers
from security.probe.configuration.public_pages import public_pages
from security.probe.configuration.tls import tls
from security.probe.probe import Probe
from security.probe.surface.lock import lock

PROBES: tuple[Probe, ...] = (
    absent_key,
    headers,
    tls,
    errors,
    public_pages,
    lock,
)
