"""Open a restored database the way a client would: through the real server, with a tenant's own key."""

import contextlib
from pathlib import Path

from backups.boot import READY_SECONDS, boot
from backups.errors import DamageError
from backups.steps import leave_out_after, step
from backups.witness import Witness
from harness.client import Client, HttpStatusError, RpcError, ToolOutcome, connect
from harness.collector import Run


def open_by_server(run: Run, restored: Path, witness: Witness, *, ready_seconds: float = READY_SECONDS) -> None:
    """Make the steps boots, answers and keys. The server writes to the file: inspect it before."""
    with contextlib.ExitStack() as stack:
        server = None
        with step(run, "boots") as check:
            logs = run.directory / "logs"
            server = stack.enter_context(
                boot(restored, witness.environment, logs=logs, ready_seconds=ready_seconds),
            )
            check.examined = 1
            run.measure("boot_duration", server.seconds, "s")
            check.evidence.append(f"ready after {server.seconds:.2f} s")
        if server is None:
            leave_out_after(run, "boots", "the server does not run on it")
            return
        client = None
        with step(run, "answers") as check:
            client = stack.enter_context(_connect(server.url, witness.token))
            outcome = client.call_tool("stores_list")
            check.expect(
                outcome.structured == witness.stores,
                f"stores_list answers {outcome.text[:300]}, the live server {dict(witness.stores)}",
            )
            check.evidence.append(f"stores_list: {outcome.text[:300]}")
        if client is None:
            leave_out_after(run, "answers", "the tenant's key does not open it")
            return
        with step(run, "keys") as check:
            # The server opens the key before it calls the upstream, so only a key that opens gets as far as that.
            code = _error_code(client.call_tool("orders_get", {"order_id": witness.order_ids[0]}))
            check.expect(
                code == "UPSTREAM_UNAVAILABLE",
                f"orders_get answers {code}, not UPSTREAM_UNAVAILABLE, the upstream being unreachable",
            )
            check.evidence.append(f"orders_get: {code}")


def _connect(url: str, token: str) -> Client:
    try:
        return connect(url, token)
    except (RpcError, HttpStatusError) as error:
        raise DamageError(
            f"the tenant's key is refused with HTTP {error.status}: its row is not there, or MASTER_KEY is another"
        ) from error


def _error_code(outcome: ToolOutcome) -> str:
    """The code of a tool's error; "success" when it is none."""
    if not outcome.is_error:
        return "success"
    error = (outcome.structured or {}).get("error")
    return str(error.get("code")) if isinstance(error, dict) else outcome.text[:300]
