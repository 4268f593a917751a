"""What an operator does while a server runs: every page, wrong keys, every command that asks the database."""

import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import httpx

from harness.client import ClientError, HttpStatusError, RpcError, connect
from harness.connections import certificates
from harness.process import ProcessError
from harness.targets.model import LocalTarget
from harness.targets.sandbox import Account
from harness.targets.server import run_server_command

PAGES = ("/health", "/health/live", "/health/ready", "/health/detailed", "/metrics")
SOME_LEFT = frozenset({("writes", "uncertain")})
"""Commands that exit 1 where they find what they look for."""
WHOLE_TABLES = (
    "check",
    "key rotate-master",
    "writes uncertain --look-up",
    "writes revert --since",
    "--store NAME alone",
)
"""What is there to look at everything, one by one, or at what no index can know: not asked here."""


def ask_pages(target: LocalTarget, account: Account) -> Iterator[str]:
    """Ask for every page, and deliver an order to the webhook; yields what was not answered as it should."""
    headers = {"Authorization": f"Bearer {target.admin_token}"}
    order = json.dumps({"id": "profile"})
    signed = hmac.new(account.api_key.encode(), order.encode(), "sha256").hexdigest()
    with httpx.Client(base_url=target.base_url, trust_env=False, timeout=30.0, verify=certificates()) as http:
        for page in PAGES:
            status = http.get(page, headers=headers).status_code
            if status != httpx.codes.OK:
                yield f"{page}: HTTP {status}"
        delivered = http.post(
            "/webhooks/orderdesk",
            content=urlencode({"order": order}),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Order-Desk-Store-Id": account.store_id,
                "X-Order-Desk-Hash": signed,
            },
        )
        if delivered.status_code != httpx.codes.OK:
            yield f"the webhook: HTTP {delivered.status_code}"


def show_wrong_keys(url: str, key: str) -> Iterator[str]:
    """Show an unknown key and one with a wrong secret; yields which of them was not refused as such."""
    known = key.partition(".")[0]
    for what, wrong in (
        ("an unknown key", f"qm_{'a' * 16}.{secrets.token_urlsafe(32)}"),
        ("a wrong secret", f"{known}.{secrets.token_urlsafe(32)}"),
    ):
        try:
            connect(url, wrong).close()
            yield f"{what} was let in"
        except (HttpStatusError, RpcError) as error:
            if error.status != httpx.codes.UNAUTHORIZED:
                yield f"{what}: HTTP {error.status}"
        except ClientError as error:
            yield f"{what}: {error}"


def run_commands(target: LocalTarget, tenant: str, last: str, write_id: str, folder: Path) -> Iterator[str]:
    """Run every command that asks the database, about `tenant` and, at the end, to erase `last`; yields what failed."""
    for arguments in (
        ("tenant", "list"),
        ("tenant", "suspend", tenant, "--reason", "profile"),
        ("tenant", "resume", tenant),
        ("tenant", "export", tenant, "--output", str(folder / "export.jsonl")),
        ("key", "list", tenant),
        ("key", "create", tenant),
        ("key", "rotate", tenant),
        *_of_new_key(target, tenant),
        ("brake", "pull", "read-only", "--reason", "profile"),
        ("brake", "list"),
        ("brake", "release", "read-only"),
        ("brake", "pull", "read-only", "--store", tenant, target.sandbox.store_id, "--reason", "profile"),
        ("brake", "cap", tenant, "5", "--reason", "profile"),
        ("tenant", "list"),
        ("writes", "list"),
        ("writes", "list", "--tenant", tenant, "--since", "4w"),
        ("writes", "list", "--since", "2h"),
        ("writes", "list", "--state", "failed"),
        ("writes", "list", "--state", "uncertain"),
        ("writes", "list", "--tool", "orders_update"),
        ("writes", "list", "--store", target.sandbox.store_id),
        ("writes", "list", "--tenant", tenant, "--store", "profile"),
        ("writes", "show", write_id),
        ("writes", "uncertain"),
        *_of_uncertain(target),
        ("writes", "revert", write_id, "--dry-run"),
        ("writes", "revert", write_id),
        ("tenant", "erase", last, "--confirm", last),
    ):
        yield from _run(target, arguments)


def _run(target: LocalTarget, arguments: Sequence[str]) -> Iterator[str]:
    try:
        run_server_command(*arguments, environment=target.environment, logs=target.logs)
    except ProcessError as error:
        if not (error.exit_code == 1 and tuple(arguments[:2]) in SOME_LEFT):
            yield f"{' '.join(arguments[:2])}: {error}"


def _of_new_key(target: LocalTarget, tenant: str) -> tuple[tuple[str, ...], ...]:
    """What is done to a key, with the id of one that was just made."""
    made = json.loads(
        run_server_command("key", "create", tenant, "--json", environment=target.environment, logs=target.logs)
    )
    return (
        ("key", "expire", str(made["key_id"]), "--in", "1h"),
        ("key", "revoke", str(made["key_id"]), "--reason", "profile"),
    )


def _of_uncertain(target: LocalTarget) -> tuple[tuple[str, ...], ...]:
    """What is done to a write whose outcome nobody knows, where there is one."""
    listed = json.loads(
        run_server_command(
            *("writes", "list", "--state", "uncertain", "--limit", "1", "--json"),
            environment=target.environment,
            logs=target.logs,
        )
    )
    # Where there is none, the command's own refusal says so.
    return tuple(("writes", "settle", str(each["id"]), "failed") for each in listed or [{"id": "none-is-uncertain"}])
