"""OrderDesk for a tool call: the store's account unsealed, the call's deadline and request id carried along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server.orderdesk.client import Account, OrderDeskClient, Request

if TYPE_CHECKING:
    from server.tenancy.stores import Store, Stores
    from server.tools.call import Call


class Gateway:
    """Sends a call's requests to the account behind one of the tenant's stores."""

    def __init__(self, client: OrderDeskClient, stores: Stores) -> None:
        self._client = client
        self._stores = stores

    async def get(
        self, call: Call, store: Store, endpoint: str, path: str, parameters: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The body of a read. `endpoint` is the template of `path`."""
        return await self._send(call, store, "GET", endpoint, path, parameters or {}, None)

    async def put(self, call: Call, store: Store, endpoint: str, path: str, body: object) -> dict[str, Any]:
        """The body of OrderDesk's answer to a write. Raises WriteUncertainError when there is none."""
        return await self._send(call, store, "PUT", endpoint, path, {}, body)

    async def _send(
        self,
        call: Call,
        store: Store,
        method: str,
        endpoint: str,
        path: str,
        parameters: dict[str, str],
        body: object,
    ) -> dict[str, Any]:
        return await self._client.send(
            Request(
                account=Account(store.store_id, store.upstream, self._stores.api_key(store)),
                method=method,
                endpoint=endpoint,
                path=path,
                request_id=call.request_id,
                deadline=call.deadline,
                tenant_id=call.caller.tenant_id,
                parameters=parameters,
                body=body,
            )
        )
