"""Open the target that `--target NAME` names."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.client import ClientError, HttpStatusError, RpcError, connect
from harness.config import LOCAL, Configuration, find_target, read_token
from harness.errors import HarnessError
from harness.record import Target
from harness.targets.local import start_local
from harness.targets.model import RunningTarget


class UnreachableError(HarnessError):
    """A remote target did not answer as an MCP server."""


@contextlib.contextmanager
def open_target(
    name: str, configuration: Configuration, *, logs: Path, environ: Mapping[str, str]
) -> Iterator[RunningTarget]:
    """Yield the target of this name, known to answer: `local` is started here (a LocalTarget), others are remote.

    Raises ConfigurationError when ops.toml has no such target or its token is missing, UnreachableError when a remote
    one does not answer, and HarnessError when the local one does not start.
    """
    if name == LOCAL:
        with start_local(logs=logs, environ=environ) as target:
            yield target
    else:
        yield _find_remote(name, configuration, environ)


def _find_remote(name: str, configuration: Configuration, environ: Mapping[str, str]) -> RunningTarget:
    table = find_target(configuration, name)
    token = read_token(configuration, name, environ)
    url = str(table.url)
    try:
        with connect(url, token) as client:
            release = client.release
    except ClientError as error:
        refused = isinstance(error, (RpcError, HttpStatusError)) and error.status in {401, 403}
        what = "refuses the token" if refused else "cannot be reached"
        raise UnreachableError(f"target {name} {what}: {error}") from error
    return RunningTarget(
        target=Target(name=name, url=url, production=table.production, release=release),
        token=token,
        store=table.store,
    )
