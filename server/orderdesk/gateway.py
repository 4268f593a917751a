"""OrderDesk for a tool call: the store's account unsealed, the call's deadline and request id carried along."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from server.orderdesk.client import Account, OrderDeskClient, Request, out_of_time, rate_limited

if TYPE_CHECKING:
    from server.brakes import Brakes
    from server.clock import Monotonic
    from server.tenancy.stores import Store, Stores
    from server.tools.call import Call


class Gateway:
    """Sends a call's requests to the account behind one of the tenant's stores.

    `endpoint` is a path's template, such as /orders/{id}/shipments/{id}: a metric label; `ids` fill it.
    """

    def __init__(
        self, client: OrderDeskClient, stores: Stores, brakes: Brakes, clock: Monotonic = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._stores = stores
        self._brakes = brakes

    def refuse_when_hopeless(self, call: Call, store: Store, requests: int) -> None:
        """Raise RateLimitError for a write whose requests would not all get their tokens by the call's deadline.

        Begun all the same, it would spend tokens that others could have used to the end. Where it waited for its turn
        until no time was left to send it, raise UpstreamUnavailableError, whatever the tokens.
        """
        left = call.deadline - self._clock() - self._client.answer_seconds
        if left <= 0:
            raise out_of_time()
        wait = self._client.seconds_for(store.upstream, requests)
        if wait > left:
            raise rate_limited(wait)

    async def get(
        self, call: Call, store: Store, endpoint: str, *ids: str, parameters: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The body of a read."""
        return await self._client.send(self._request(call, store, "GET", endpoint, ids, parameters or {}, None))

    async def write(
        self, call: Call, store: Store, method: str, endpoint: str, *ids: str, body: object = None
    ) -> dict[str, Any]:
        """The body of OrderDesk's answer to a POST, PUT or DELETE.

        Raises WriteUncertainError when there is none, NotAppliedError when it is certain that nothing was done. A brake
        that was pulled while the request waited for its turn stops it here.
        """
        request = self._request(call, store, method, endpoint, ids, {}, body)
        return await self._client.send(request)

    def _request(
        self,
        call: Call,
        store: Store,
        method: str,
        endpoint: str,
        ids: tuple[str, ...],
        parameters: dict[str, str],
        body: object,
    ) -> Request:
        admit = None if method == "GET" else partial(self._brakes.refuse_write, store.tenant_id, store.id)
        return Request(
            account=Account(store.store_id, store.upstream, self._stores.api_key(store)),
            method=method,
            endpoint=endpoint,
            path=endpoint.replace("{id}", "{}").format(*ids),
            request_id=call.request_id,
            deadline=call.deadline,
            tenant_id=call.caller.tenant_id,
            parameters=parameters,
            body=body,
            admit=admit,
        )
