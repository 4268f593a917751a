"""The tool by which a client learns which tenant its key belongs to."""

from __future__ import annotations

import hmac
from typing import Any, Literal

from pydantic import Field

from server.errors import AuthenticationError
from server.tenancy.keys import TenantKey
from server.tools.call import Call
from server.tools.declaration import Arguments, Result, Tool


class UseMasterKey(Arguments):
    master_key: str = Field(min_length=1, max_length=200, description="Your tenant key, the one this connection uses")


class TenantResult(Result):
    status: Literal["success"]
    tenant: str = Field(description="The tenant's name")
    tenant_id: str
    message: str


async def use_master_key(call: Call, arguments: UseMasterKey) -> dict[str, Any]:
    """Name the tenant of the caller's own key.

    The connection decides who calls, never this handler: over stdio, the session takes a process that has no valid key
    for the tenant of the key shown here (server.protocol.stdio).
    """
    key = TenantKey.parse(arguments.master_key)
    owner = await call.services.tenants.authenticate(arguments.master_key) if key else None
    if owner is None or not hmac.compare_digest(owner.tenant_id, call.caller.tenant_id):
        raise AuthenticationError("That is not the key of this connection's tenant.")
    return {
        "status": "success",
        "tenant": owner.tenant_name,
        "tenant_id": owner.tenant_id,
        "message": f"This connection acts for {owner.tenant_name}",
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="tenant_use_master_key",
        title="Check the tenant key",
        description=(
            "Check a tenant key against the one this connection authenticates with, and name the tenant. "
            "It never switches to another tenant. Over HTTP calling it is optional: every request carries its key "
            "already. Over stdio it authenticates the process where TENANT_KEY did not."
        ),
        toolset="tenant",
        arguments=UseMasterKey,
        result=TenantResult,
        example={"master_key": "qm_xxxxxxxxxxxxxxxx.…"},
        handler=use_master_key,
        open_world=False,
    ),
)
