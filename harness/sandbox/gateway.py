"""The API's front: who asks, the rate limit, faults, the handler, and the journal entry, for one request at a time."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from harness.sandbox.bucket import BucketSettings
from harness.sandbox.call import Call, failure
from harness.sandbox.clock import Clock
from harness.sandbox.errors import RefusedError
from harness.sandbox.exchange import Answer, Request
from harness.sandbox.foreign import write_foreign
from harness.sandbox.injection import NOTHING, Faults, Fired
from harness.sandbox.journal import Entry, Journal
from harness.sandbox.routes import Route, find
from harness.sandbox.spoiling import spoiled
from harness.sandbox.store import Store

logger = logging.getLogger(__name__)


class Gateway:
    """Answers requests for several stores, each by its id, and journals every one of them."""

    def __init__(self, stores: Mapping[str, Store], journal: Journal, clock: Clock) -> None:
        self.stores = stores
        self.journal = journal
        self.faults = Faults()
        self.counts: Counter[tuple[str, str]] = Counter()
        self._clock = clock

    async def answer(self, request: Request) -> Answer:
        """The answer to a request. Whatever it changes is applied and journaled without another one in between."""
        route = find(request.method, request.path)
        store = self.stores.get(request.store_id)
        if store is None or store.api_key != request.api_key:
            tokens = BucketSettings().capacity if store is None else store.bucket.remaining()
            refused = Answer(401, failure("Invalid store id or API key"), tokens_remaining=tokens)
            return self._answered(request, route, refused)
        if not store.bucket.take():
            limited = Answer(429, failure("Too many requests"), retry_after=store.bucket.retry_after())
            return self._answered(request, route, limited, store)
        fired = self.faults.fire(request.method, request.path, route.template, store.id)
        if fired.wait_seconds:
            await asyncio.sleep(fired.wait_seconds)
        answer = self._decide(fired, route, store, request)
        if fired.body_seconds:
            answer = replace(answer, body_seconds=fired.body_seconds)
        answer = self._answered(request, route, answer, store, fired)
        if fired.foreign_writer is not None:
            self._write_foreign(store, route.ids[0], fired.foreign_writer.tokens)
        return answer

    def _decide(self, fired: Fired, route: Route, store: Store, request: Request) -> Answer:
        if fired.outcome is None:
            return self._handle(route, store, request)
        return spoiled(fired.outcome, lambda: self._handle(route, store, request))

    def _handle(self, route: Route, store: Store, request: Request) -> Answer:
        call = Call(store, route.ids, request.query, request.body, self._clock.now())
        try:
            return Answer(200, route.handler(call))
        except RefusedError as refused:
            return Answer(refused.status, failure(str(refused)))
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            return Answer(500, failure("The sandbox itself failed; see its standard error"))

    def _answered(
        self, request: Request, route: Route, answer: Answer, store: Store | None = None, fired: Fired = NOTHING
    ) -> Answer:
        """The answer with the store's tokens, after counting it and entering it and its changes in the journal."""
        changes = store.take_changes() if store is not None else []
        self.counts["requests", "total"] += 1
        self.counts["status", "dropped" if answer.status is None else str(answer.status)] += 1
        self.counts["route", f"{request.method} {route.template}"] += 1
        for kind in fired.kinds:
            self.counts["fault", kind] += 1
        if changes:
            self.counts["requests", "applied"] += 1
        if request.method == "GET" and request.has_content_type:
            self.counts["requests", "get_with_content_type"] += 1
        if request.method == "GET" and request.body:
            self.counts["requests", "get_with_body"] += 1
        order_id = route.ids[0] if route.ids and route.template.startswith("/orders") else None
        if order_id is None and changes and changes[0].resource == "order" and route.template == "/orders":
            order_id = changes[0].id
        self.journal.append(
            Entry(
                sequence=self.journal.last_sequence + 1,
                kind="request",
                monotonic=self._clock.monotonic(),
                wall=self._clock.wall(),
                store_id=request.store_id,
                method=request.method,
                path=request.path,
                query=request.query,
                order_id=order_id,
                status=answer.status,
                answered=answer.status is not None,
                applied=bool(changes),
                changes=changes,
                faults=fired.kinds,
                request_id=request.request_id,
            )
        )
        return answer if store is None else replace(answer, tokens_remaining=store.bucket.remaining())

    def _write_foreign(self, store: Store, order_id: str, tokens: int) -> None:
        try:
            write_foreign(store, order_id, now=self._clock.now(), value=self.journal.last_sequence + 1)
        except RefusedError:
            return  # no such order, or its metadata is full
        store.bucket.drain(tokens)
        self.counts["requests", "foreign"] += 1
        self.journal.append(
            Entry(
                sequence=self.journal.last_sequence + 1,
                kind="foreign",
                monotonic=self._clock.monotonic(),
                wall=self._clock.wall(),
                store_id=store.id,
                method="",
                path=f"/orders/{order_id}",
                query="",
                order_id=order_id,
                status=None,
                answered=False,
                applied=True,
                changes=store.take_changes(),
                faults=("foreign_writer",),
                request_id=None,
            )
        )
