"""OrderDesk's webhook ("Post Order JSON"): verified by its HMAC, it drops from the cache what the order touches.

Nothing else follows from a delivery: what is missed or forged at worst costs a fetch or the rest of a TTL.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson

from server.cache import Cache
from server.clock import Monotonic
from server.forms import form_field
from server.telemetry.logging import Logger
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Store, Stores
from server.tenancy.vault import Vault, VaultError

# OrderDesk repeats a delivery that was not answered with 200 or 201 up to five times over two hours.
RETRY_WINDOW_SECONDS: Final = 2 * 3600.0
REMEMBERED: Final = 20_000
FIELD: Final = "order"
# Whoever can reach the server can post here, and to find out that a delivery is forged takes a look into the database
# and the decoding of all of its bytes. What is not verified may use up this much a second: some 5 % of one core.
UNVERIFIED_BYTES_PER_SECOND: Final = 512 * 1024
UNVERIFIED_RESERVE_BYTES: Final = 4 * 1024 * 1024
LEAST_COST_BYTES: Final = 16 * 1024
LOOK_UP_SECONDS: Final = 2.0
STORE_ID_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST: the headers that identify it (blank where absent), its content type and its body."""

    store_id: str
    signature: str
    content_type: str
    body: bytes


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


# What is answered to each outcome; an unknown store and a wrong hash look the same.
ANSWERS: Final[dict[str, tuple[HTTPStatus, dict[str, Any]]]] = {
    "accepted": (HTTPStatus.OK, {"status": "success", "duplicate": False}),
    "duplicate": (HTTPStatus.OK, {"status": "success", "duplicate": True}),
    "malformed": (HTTPStatus.BAD_REQUEST, _error("BAD_REQUEST", "The form needs a field named order: JSON with an id")),
    "refused": (HTTPStatus.UNAUTHORIZED, _error("AUTH_ERROR", "Unknown store or wrong hash")),
    "limited": (HTTPStatus.TOO_MANY_REQUESTS, _error("RATE_LIMIT_EXCEEDED", "Too many deliveries; try again later")),
}


def answer(outcome: str, request_id: str) -> tuple[HTTPStatus, dict[str, Any]]:
    """The status and the body that an outcome is answered with; an error's carries the request's id."""
    status, body = ANSWERS[outcome]
    return status, {"error": {**body["error"], "request_id": request_id}} if "error" in body else body


class Webhooks:
    """Receives deliveries.

    Deliveries are remembered, in memory alone, to tell those that come again, which are carried out all the same: at
    worst, entries drop from the cache that are fetched again when somebody asks. No more than that hangs on it.
    """

    def __init__(
        self,
        stores: Stores,
        vault: Vault,
        cache: Cache,
        metrics: Metrics,
        logger: Logger,
        *,
        clock: Monotonic = time.monotonic,
    ) -> None:
        self._stores = stores
        self._vault = vault
        self._cache = cache
        self._logger = logger
        self._clock = clock
        self._count = {outcome: metrics.webhook_deliveries.labels(outcome) for outcome in ANSWERS}
        self._seen: OrderedDict[tuple[str, bytes], float] = OrderedDict()
        # One at a time: whatever is posted here, the database's connections stay free for calls.
        self._looking = asyncio.Semaphore(1)
        self._reserve = float(UNVERIFIED_RESERVE_BYTES)
        self._updated = clock()
        # Stands for the API key of a store that nobody registered, so that refusing it takes the same work.
        self._decoy = vault.seal("", "webhooks/decoy", secrets.token_bytes(32))

    async def receive(self, delivery: Delivery) -> str:
        """Carry out what a delivery asks for. Returns its outcome, a key of ANSWERS."""
        cost = min(max(len(delivery.body), LEAST_COST_BYTES), UNVERIFIED_RESERVE_BYTES)
        if not self._spend(cost):
            return self._told("limited", None)
        order = form_field(delivery.content_type, delivery.body, FIELD)
        if order is None:
            return self._told("malformed", None)
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS), self._looking:
                known = await self._stores.of_store_id(delivery.store_id[: STORE_ID_LENGTH + 1])
        except TimeoutError:
            return self._told("limited", None)
        signers = self._signers(known, order, delivery.signature.lower())
        outcome = "refused"
        if signers:
            self._reserve += cost
            outcome = self._carry_out(delivery, order, {store.upstream for store in signers})
        # An id that is not registered is anybody's text: it may be a name, and does not belong in the log.
        return self._told(outcome, delivery.store_id if known else None)

    def _carry_out(self, delivery: Delivery, order: bytes, upstreams: set[str]) -> str:
        order_id = _order_id(order)
        if order_id is None:
            return "malformed"
        # A repeated delivery too: an order that was changed and changed back is posted as it was before, byte for byte.
        for upstream in upstreams:  # items and shipments are read from their order
            self._cache.invalidate(upstream, "orders", order_id)
            self._cache.invalidate(upstream, "order_lists")
        return "duplicate" if self._repeated((delivery.store_id, bytes.fromhex(delivery.signature))) else "accepted"

    def _signers(self, known: tuple[Store, ...], order: bytes, signature: str) -> list[Store]:
        """The stores whose API key made `signature`, all of them tried."""
        given = signature.encode("utf-8", "replace")
        if not known:
            _signs(self._vault.open("", "webhooks/decoy", self._decoy), order, given)
        signers = []
        for store in known:
            with suppress(VaultError):  # one tenant's damaged row is no reason to fail another's delivery
                if _signs(self._stores.api_key(store).encode(), order, given):
                    signers.append(store)
        return signers

    def _repeated(self, delivery: tuple[str, bytes]) -> bool:
        """Whether it came before within the retry window; from now on it did."""
        now = self._clock()
        while self._seen and (
            len(self._seen) > REMEMBERED or now - next(iter(self._seen.values())) > RETRY_WINDOW_SECONDS
        ):
            self._seen.popitem(last=False)
        if delivery in self._seen:
            return True
        self._seen[delivery] = now
        return False

    def _spend(self, cost: int) -> bool:
        """Take `cost` bytes from the reserve, if they are there."""
        now = self._clock()
        earned = (now - self._updated) * UNVERIFIED_BYTES_PER_SECOND
        self._reserve = min(UNVERIFIED_RESERVE_BYTES, self._reserve + earned)
        self._updated = now
        if self._reserve < cost:
            return False
        self._reserve -= cost
        return True

    def _told(self, outcome: str, store_id: str | None) -> str:
        self._count[outcome].inc()
        if outcome != "limited":  # a flood has its lines in the access log already
            self._logger.info("webhook.received", store_id=store_id, outcome=outcome)
        return outcome


def _signs(api_key: bytes, order: bytes, signature: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(api_key, order, "sha256").hex().encode(), signature)


def _order_id(order: bytes) -> str | None:
    """The id of an order in JSON; OrderDesk writes ids as strings or as integers."""
    try:
        decoded = orjson.loads(order)
    except orjson.JSONDecodeError:
        return None
    identity = decoded.get("id") if isinstance(decoded, dict) else None
    return str(identity) if identity and isinstance(identity, str | int) and identity is not True else None
