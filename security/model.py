"""The `[audit]` table of ops.toml: what counts, what is looked at, and where advisories come from."""

from typing import Annotated

from pydantic import Field

from harness.config import Table
from harness.verdict import Severity
from security.advisories.source import SERVICE

Folder = Annotated[str, Field(pattern=r"^[^/]+$")]
"""A name at the top of the repository."""


class AuditTable(Table):
    """`[audit]`: the policy. Exceptions to it stand in waivers.toml."""

    fail_on: Severity = Severity.MEDIUM
    """The mildest severity that fails; milder findings are listed."""
    advisories: Annotated[str, Field(min_length=1)] = SERVICE
    """`service` (the package index's own), `osv`, or a directory of PyPA advisory files, served on loopback."""
    advisories_days: Annotated[int, Field(ge=1)] = 30
    """How long ago the tenth newest advisory of a directory may be before a clean result says nothing."""
    units_exposure: Annotated[float, Field(ge=1, le=9)] = 3.0
    """The exposure that systemd-analyze may see in a service unit, on its scale from 0 to 10.

    systemd's own services that speak to a network or to users (networkd, timesyncd, logind) are rated 2.2 to 3.0: what
    a program that is of use can reach. A unit without any hardening has 9.6; below 1 hardly anything is of use.
    """
    samples: tuple[Folder, ...] = ("tests",)
    """Where made-up secrets and dangerous code are to be expected: only tokens of a known shape count there."""
