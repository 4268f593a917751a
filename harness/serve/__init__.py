"""`./inv serve`: the server and its sandbox together, for people to connect a client to."""

import contextlib
import fcntl
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

from harness.client import Client, HttpStatusError, RpcError, connect
from harness.config import LOCAL
from harness.edge import write_out
from harness.errors import UsageError
from harness.process import ProcessError
from harness.progress import Progress
from harness.serve.clients import describe_clients
from harness.serve.state import load_state, save_state, state_path
from harness.targets.local import STORE_NAME, register_store
from harness.targets.sandbox import Sandbox, start_sandbox
from harness.targets.server import Served, create_tenant, run_server_command, server_environment, serving

HOST = "127.0.0.1"
WATCH_SECONDS = 0.25


@dataclass(frozen=True)
class Options:
    """What `./inv serve` was asked for. Without `database` it is SQLite in the data folder; `toolsets` as TOOLSETS."""

    port: int
    orders: int
    database: str | None
    fresh: bool
    toolsets: str | None


def parse_options(*, port: str, orders: str, database: str, fresh: bool, toolsets: str) -> Options:
    """Return the options from the command line's text. Raises UsageError that names the option."""
    return Options(
        port=_whole_number("--port", port, highest=65_535),
        orders=_whole_number("--orders", orders, highest=1_000_000),
        database=database or None,
        fresh=fresh,
        toolsets=toolsets or None,
    )


def serve(options: Options, *, data: Path, environ: Mapping[str, str], stdout: TextIO, progress: Progress) -> NoReturn:
    """Serve until interrupted, which arrives here as KeyboardInterrupt and goes on to the caller.

    Tenant, store and keys are kept in `data` and found again at the next start; with `fresh` nothing is kept. Raises
    UsageError for a port or a data folder that cannot be used and for settings that the server refuses, and
    HarnessError when a process does not start or ends by itself.
    """
    _refuse_used_port(options.port)
    with contextlib.ExitStack() as stack:
        stack.callback(progress.close)
        folder = stack.enter_context(_fresh_folder() if options.fresh else _own_folder(data))
        path = state_path(folder, options.database)
        state = load_state(path)
        logs = folder / "logs"
        progress.now("starting the sandbox and the server")
        sandbox = stack.enter_context(start_sandbox(logs=logs, environ=environ, orders=options.orders))
        environment = server_environment(
            {
                "PORT": str(options.port),
                "DATABASE_URL": options.database or f"sqlite:///{folder.resolve()}/app.db",
                "MASTER_KEY": state.master_key,
                "ADMIN_TOKEN": state.admin_token,
                "ORDERDESK_BASE_URL": sandbox.api_url,
                **({"TOOLSETS": options.toolsets} if options.toolsets else {}),
            },
            environ,
        )
        with _settings_are_usage():
            run_server_command("migrate", environment=environment, logs=logs)
            served = stack.enter_context(serving(environment=environment, logs=logs))
        url = f"{served.base_url}/mcp"
        if state.tenant_key is None or not _is_known(url, state.tenant_key):
            state = state.model_copy(
                update={"tenant_key": create_tenant(LOCAL, environment=environment, logs=logs).key}
            )
            save_state(path, state)
        key = str(state.tenant_key)
        with connect(url, key) as client:
            _ensure_store(client, sandbox)
        progress.close()
        write_out(stdout, _introduction(url, key, sandbox, options, logs))
        _watch(served, sandbox)


def _whole_number(option: str, text: str, *, highest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > highest:
        raise UsageError(f"{option} must be a whole number from 0 to {highest}, not {text[:40]!r}")
    return int(text)


def _refuse_used_port(port: int) -> None:
    """The server would find out too, but after the sandbox has started and the database was made."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used ({error.strerror}); choose another with --port, or 0 for any free one"
            ) from None


@contextlib.contextmanager
def _fresh_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="quartermaster-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """Make the folder and hold it: two servers would share one SQLite file and overwrite each other's state."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "logs").mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"the data folder cannot be used: {error.strerror}: {error.filename}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    except BlockingIOError:
        raise UsageError(f"another ./inv serve uses {folder}; stop it, or start this one with --fresh") from None
    finally:
        os.close(lock)


@contextlib.contextmanager
def _settings_are_usage() -> Iterator[None]:
    """The server exits with 2 for settings that it refuses, which here come from the command line."""
    try:
        yield
    except ProcessError as error:
        if error.exit_code == 2:
            raise UsageError("; ".join(error.last_lines) or str(error)) from None
        raise


def _is_known(url: str, key: str) -> bool:
    """Whether the database has the tenant of this key: it may have been replaced meanwhile."""
    try:
        connect(url, key).close()
    except (RpcError, HttpStatusError) as error:
        if error.status != 401:
            raise
        return False
    return True


def _ensure_store(client: Client, sandbox: Sandbox) -> None:
    """Register the sandbox's store, or anew when the kept registration does not work; a working one is left alone."""
    listed = client.call_tool("stores_list")
    stores = (listed.structured or {}).get("stores", [])
    if any(store.get("store_id") == sandbox.store_id for store in stores):
        probe = client.call_tool("orders_list", {"store_identifier": sandbox.store_id, "limit": 1})
        if not probe.is_error:
            return
        client.call_tool("stores_delete", {"store_identifier": sandbox.store_id})
    register_store(client, sandbox.accounts[0])


def _introduction(url: str, key: str, sandbox: Sandbox, options: Options, logs: Path) -> str:
    kept = "nothing is kept (--fresh)" if options.fresh else f"kept in {logs.parent}"
    return (
        f"\nServing {url} with {options.orders} orders in the sandbox store {sandbox.store_id}"
        f' ("{STORE_NAME}"); tenant and store: {kept}\n'
        f"\n{describe_clients(url, key)}\n"
        f"Logs:    {logs}/server.stderr.log, {logs}/sandbox.stderr.log\n"
        f"Sandbox: {sandbox.control_url} (journal, faults)\n"
        "\nCtrl-C stops both.\n"
    )


def _watch(served: Served, sandbox: Sandbox) -> NoReturn:
    """Return never: until a signal raises, or one of the two ends by itself."""
    while True:
        for process in (served.process, sandbox.process):
            if process.exit_code is not None:
                raise process.failure("ended by itself")
        time.sleep(WATCH_SECONDS)
