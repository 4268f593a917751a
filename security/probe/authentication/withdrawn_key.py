"""A key that was revoked or rotated, has expired, or is a suspended tenant's stops working, on open connections too."""

import time
from collections.abc import Callable
from typing import TypeVar

from harness.client import ClientError, HttpStatusError, RpcError
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.authentication.door import Door, Told, bearer, open_door, still_open
from security.probe.probe import probe
from security.probe.site import Need, Site, Tenant

GRACE_SECONDS = 2.0
"""How long a server may go on to trust what it has cached: ours promises a second, and a busy machine takes its own."""
EXPIRY_SECONDS = 1.0
POLL_SECONDS = 0.1
Made = TypeVar("Made")


@probe(
    "authentication.withdrawn-key",
    "Keys that were revoked or rotated, have expired, or are of a suspended tenant let nobody in",
    "A07:2025",
    "API2:2023",
    needs=(Need.KEY, Need.KEYS),
    at_least=4,
)
def withdrawn_key(check: OpenCheck, site: Site) -> None:
    """Use new keys, withdraw each in its way, and use them again: on a new connection, and on one that was open."""
    keys = site.keys
    if keys is None:
        raise Inconclusive("no keys can be made here")
    door = open_door(site)
    first = keys.new_tenant()
    second = _withdraw(check, door, first, "rotated", lambda: keys.rotate(first))
    third = keys.new_key(second)
    _withdraw(check, door, third, "expired", lambda: keys.expire(third))
    fourth = keys.new_key(second)
    _withdraw(check, door, second, "revoked", lambda: keys.revoke(second))
    _withdraw(check, door, fourth, "suspended with its tenant", lambda: keys.suspend(fourth))
    still_open(door)


def _withdraw(check: OpenCheck, door: Door, tenant: Tenant, how: str, withdraw: Callable[[], Made]) -> Made:
    """Withdraw a key that is shown to work, and wait until it does not."""
    if door.ask(bearer(tenant.key)) is not Told.IN:
        raise Inconclusive(f"a key that was just made is refused, before it was {how}")
    with door.site.connect(tenant) as client:
        client.list_tools()
        made = withdraw()
        began = time.monotonic()
        deadline = began + GRACE_SECONDS + (EXPIRY_SECONDS if how == "expired" else 0.0)
        while (told := door.ask(bearer(tenant.key))) is Told.IN and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        check.examined += 1
        references = ("CWE-613",)
        if told is Told.IN:
            message = f"a key that was {how} still works {time.monotonic() - began:.0f} s later"
            check.find("withdrawn-key", message, key=how, references=references)
            return made
        check.evidence.append(f"{how}: refused {time.monotonic() - began:.1f} s later")
        try:
            client.list_tools()
        except (RpcError, HttpStatusError) as error:
            if error.status not in {401, 403, 404}:
                raise Inconclusive(f"on an open connection a key that was {how} was answered: {error}") from error
        except ClientError as error:
            check.evidence.append(f"{how}: the open connection ended: {error}")
        else:
            message = f"a key that was {how} still works on a connection that was open before"
            check.find("withdrawn-key", message, key=f"{how} open", references=references)
    return made
