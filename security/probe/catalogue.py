"""Every probe there is, in the order of their checks."""

from security.probe.authentication.absent_key import absent_key
from security.probe.configuration.errors import errors
from security.probe.configuration.headers import headers
from security.probe.configuration.public_pages import public_pages
from security.probe.configuration.tls import tls
from security.probe.probe import Probe
from security.probe.protocol.cross_origin import cross_origin
from security.probe.protocol.duplicate_keys import duplicate_keys
from security.probe.protocol.encoding import encoding
from security.probe.protocol.framing import framing
from security.probe.protocol.header_mismatch import header_mismatch
from security.probe.protocol.large_body import large_body
from security.probe.protocol.methods import methods
from security.probe.protocol.nesting import nesting
from security.probe.protocol.numbers import numbers
from security.probe.protocol.rebinding import rebinding
from security.probe.protocol.slow_body import slow_body
from security.probe.protocol.version_confusion import version_confusion
from security.probe.surface.lock import lock

PROBES: tuple[Probe, ...] = (
    absent_key,
    slow_body,
    header_mismatch,
    version_confusion,
    large_body,
    nesting,
    duplicate_keys,
    encoding,
    numbers,
    framing,
    rebinding,
    cross_origin,
    methods,
    headers,
    tls,
    errors,
    public_pages,
    lock,
)
