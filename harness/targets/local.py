"""The local target: a sandbox, and a server of this checkout with a throw-away database, tenants and their stores."""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from pathlib import Path

from harness.background import in_background
from harness.client import Client, connect
from harness.config import LOCAL
from harness.errors import HarnessError
from harness.record import Target
from harness.targets.model import LocalTarget, NewTenant
from harness.targets.sandbox import Account, start_sandbox
from harness.targets.server import create_tenant, run_server_command, server_environment, serving

STORE_NAME = "Sandbox"


@contextlib.contextmanager
def start_local(
    *,
    logs: Path,
    environ: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
    orders: int = 200,
    stores: int = 1,
    seed: int = 1,
    python: Path | None = None,
) -> Iterator[LocalTarget]:
    """Yield a ready server on a free port; it and everything it stored are gone afterwards, its logs are not.

    It has a tenant for each of the sandbox's `stores`, and that is the tenant's active one.

    `settings` are environment variables of the server that win over the harness's own (PORT, DATABASE_URL,
    RATE_LIMIT_RPM, …), `environ` is what children inherit a few machine variables from, `python` is the interpreter
    that serves, by default this one. Any number may run at once, with a log folder each. Raises HarnessError in one
    line when any step fails.
    """
    with (
        tempfile.TemporaryDirectory(prefix="quartermaster-") as state,
        start_sandbox(logs=logs, environ=environ, orders=orders, stores=stores, seed=seed) as sandbox,
        contextlib.ExitStack() as stack,
    ):
        given = {
            "DATABASE_URL": f"sqlite:///{state}/app.db",
            "MASTER_KEY": secrets.token_urlsafe(32),
            "ADMIN_TOKEN": secrets.token_urlsafe(32),
            "ORDERDESK_BASE_URL": sandbox.api_url,
            **(settings or {}),
        }
        environment = server_environment(given, environ)
        run_server_command("migrate", environment=environment, logs=logs)

        def create(name: str) -> NewTenant:
            return create_tenant(name, environment=environment, logs=logs)

        # While the server starts: both take about a second, of one core.
        creating = in_background(lambda: [create(LOCAL) for _ in sandbox.accounts])
        stack.callback(lambda: wait([creating]))
        with serving(environment=environment, logs=logs, python=python) as served:
            url = f"{served.base_url}/mcp"
            tenants = creating.result()
            for tenant, account in zip(tenants, sandbox.accounts, strict=True):
                with connect(url, tenant.key) as client:
                    register_store(client, account)
                    release = client.release
            yield LocalTarget(
                target=Target(name=LOCAL, url=url, production=False, release=release),
                token=tenants[0].key,
                store=sandbox.store_id,
                base_url=served.base_url,
                admin_token=given["ADMIN_TOKEN"],
                sandbox=sandbox,
                server=served.process,
                ready_seconds=served.ready_seconds,
                logs=logs,
                environment=environment,
                tenants=tenants,
                new_tenant=lambda name: create(name).key,
            )


def register_store(client: Client, account: Account) -> None:
    """Give the client's tenant a sandbox's store, as its active one. Raises HarnessError when a tool refuses."""
    store = {"store_id": account.store_id, "api_key": account.api_key, "store_name": STORE_NAME}
    for name, arguments in (("stores_register", store), ("stores_use_store", {"identifier": account.store_id})):
        outcome = client.call_tool(name, arguments)
        if outcome.is_error:
            raise HarnessError(f"{name} was refused: {outcome.text}")
