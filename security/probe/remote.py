"""A target of ops.toml as probes want it: what the operator gives of it, and nothing that is not given."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.config import Configuration, find_target, read_token
from harness.targets import open_target
from security.probe.site import RateLimit, Site, Tenant

BURST_MINUTES = 2


@contextlib.contextmanager
def open_remote(name: str, configuration: Configuration, *, logs: Path, environ: Mapping[str, str]) -> Iterator[Site]:
    """Yield the target of this name, known to answer the owner. Raises ConfigurationError, UnreachableError."""
    table = find_target(configuration, name)
    other = read_token(configuration, name, environ, "other_token")
    admin = read_token(configuration, name, environ, "admin_token")
    limit = None
    if table.rate_limit_rpm is not None:
        limit = RateLimit(table.rate_limit_rpm, table.rate_limit_burst or table.rate_limit_rpm * BURST_MINUTES)
    with open_target(name, configuration, logs=logs, environ=environ) as target:
        yield Site(
            target=target.target,
            owner=Tenant(target.token, target.store),
            stranger=None if other is None else Tenant(other),
            admin_token=admin,
            limit=limit,
        )
