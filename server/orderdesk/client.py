"""Calls to OrderDesk: polite, bounded in time, retried when that is safe, and never mistaking an error for an order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx
import orjson

from server.clock import Monotonic
from server.errors import RateLimitError, ToolError, UpstreamUnavailableError
from server.limits import retry_after
from server.orderdesk.answers import RATE_LIMITED, TryAgainError, read_answer, uncertain
from server.orderdesk.breaker import Passage
from server.orderdesk.bucket import UpstreamBucket, UpstreamBusyError
from server.orderdesk.places import NoPlaceError
from server.orderdesk.upstreams import Upstream, Upstreams
from server.telemetry.logging import Logger
from server.telemetry.metrics import Metrics
from server.telemetry.tracking.trail import step

BACKOFF_SECONDS: Final = 0.25
WRITE_SECONDS: Final = 5.0
# A handshake that takes longer will not come; and until it is done, a write is certain not to have been sent.
CONNECT_SECONDS: Final = 5.0
# Fifty stores that hang with all their places in use; a process may have 1024 files open where nobody raised that.
CONNECTIONS: Final = 500
POOL_SECONDS: Final = 2.0
# A try that was given less time and timed out is no sign that OrderDesk is not there.
FAIR_SECONDS: Final = 5.0
# A refused connection proves that nothing was sent: the one transport failure after which even a write may be repeated.
NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Account:
    """An OrderDesk store to call: its id and key, and the identity its rate limit is kept by."""

    store_id: str
    upstream: str
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `endpoint` is the path's template (a metric label), `deadline` is on the monotonic clock.

    `admit` is awaited when all is ready, just before the request is sent: the ToolError that it raises stops it.
    """

    account: Account
    method: str
    endpoint: str
    path: str
    request_id: str
    deadline: float
    tenant_id: str
    parameters: dict[str, str] = field(default_factory=dict)
    body: object = None
    admit: Callable[[], Awaitable[None]] | None = None


class NotAppliedError(Exception):
    """A write was refused unread (429, no connection) and its wait is over: look at the order and write again.

    `error` is what to answer when that has been tried often enough.
    """

    def __init__(self, error: ToolError) -> None:
        super().__init__(error.message)
        self.error = error


class OrderDeskClient:
    """Sends requests to OrderDesk within their deadline.

    Reads are tried again after 429, 5xx, a broken connection or an unreadable body. A write is sent once: what it was
    made from may be outdated by the time of a second try. It raises NotAppliedError where it is certain that nothing
    was applied (429, connection refused), WriteUncertainError otherwise.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        retries: int,
        metrics: Metrics,
        logger: Logger,
        clock: Monotonic = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        # One client for all tenants must remember nothing: a cookie set for one would travel with another's call.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout,
            cookies=no_cookies,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=100, keepalive_expiry=30),
        )
        self._timeout = timeout
        self._retries = retries
        self._metrics = metrics
        self._logger = logger
        self._clock = clock
        self._jitter = jitter
        self._upstreams = Upstreams(clock=clock)
        metrics.breakers_open.set_function(self._upstreams.open_breakers)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def seconds_for(self, upstream: str, requests: int) -> float:
        """How long so many requests to that account, one after the other, would wait for their tokens."""
        return self._upstreams.of(upstream).bucket.seconds_for(requests)

    @property
    def answer_seconds(self) -> float:
        """What a write needs when it is sent: with no time left, it could only end as uncertain."""
        return min(self._timeout, WRITE_SECONDS)

    async def send(self, request: Request) -> dict[str, Any]:
        """The body of OrderDesk's success. Raises the ToolError that tells what went wrong, or NotAppliedError."""
        upstream = self._upstreams.of(request.account.upstream)
        failure: TryAgainError | None = None
        for number in range(self._retries + 1):
            if failure is not None:
                self._metrics.orderdesk_retries.labels(failure.reason).inc()
                await self._pause(request, failure, number)
            try:
                return await self._pass(request, upstream)
            except TryAgainError as error:
                failure = error
            if request.method != "GET":
                self._metrics.orderdesk_retries.labels(failure.reason).inc()
                await self._pause(request, failure, 1)
                raise NotAppliedError(self._gave_up(request, failure))
        assert failure is not None
        raise self._gave_up(request, failure)

    async def _pass(self, request: Request, upstream: Upstream) -> dict[str, Any]:
        """One try, once the breaker lets it through and a place, a token and the caller's own leave are there."""
        breaker = upstream.breaker
        passage = breaker.enter()
        try:
            if passage.probe:  # it must not wait for the places of those that hang
                return await self._when_admitted(request, upstream, passage)
            async with upstream.places.held(request.deadline - self._clock(), lambda: breaker.check(passage)) as extra:
                passage.probe = extra
                return await self._when_admitted(request, upstream, passage)
        except NoPlaceError:
            raise UpstreamUnavailableError(
                "OrderDesk did not answer this store's earlier calls in time; nothing was changed.", reason="busy"
            ) from None
        finally:
            breaker.leave(passage)

    async def _when_admitted(self, request: Request, upstream: Upstream, passage: Passage) -> dict[str, Any]:
        ticket = await self._token(request, upstream.bucket)
        try:
            if request.admit is not None:
                await request.admit()
                self._patience(request)
            upstream.breaker.send(passage)
            return await self._try(request, upstream, passage, ticket)
        finally:
            upstream.bucket.finish(ticket)

    def _patience(self, request: Request) -> float:
        """Seconds for which the request may still wait to be sent. Raises UpstreamUnavailableError without any."""
        patience = request.deadline - self._clock()
        if request.method != "GET":
            patience -= self.answer_seconds
        if patience <= 0:
            raise out_of_time()
        return patience

    async def _token(self, request: Request, bucket: UpstreamBucket) -> int:
        try:
            return await bucket.acquire(self._patience(request))
        except UpstreamBusyError as busy:
            label = self._metrics.tenant_label(request.tenant_id)
            self._metrics.rate_limit_hits.labels(label, "orderdesk").inc()
            raise rate_limited(busy.seconds) from None

    async def _pause(self, request: Request, failure: TryAgainError, number: int) -> None:
        wait = failure.wait
        if wait is None:
            wait = BACKOFF_SECONDS * 2 ** (number - 1) * (0.5 + self._jitter())
        if self._clock() + wait > request.deadline:
            raise self._gave_up(request, failure)
        await asyncio.sleep(wait)

    async def _try(self, request: Request, upstream: Upstream, passage: Passage, ticket: int) -> dict[str, Any]:
        started = self._clock()
        status = "error"
        limit = max(0.001, min(self._timeout, request.deadline - started))
        try:
            # httpx limits each chunk; a body that drips needs a limit on the whole.
            async with asyncio.timeout(limit):
                response = await self._http.send(self._build(request, limit))
            status = str(response.status_code)
        except (httpx.HTTPError, TimeoutError) as error:
            status = type(error).__name__
            late = isinstance(error, httpx.TimeoutException | TimeoutError)
            # No free connection of ours says nothing about OrderDesk, nor does a time-out that left it hardly any time.
            if not isinstance(error, httpx.PoolTimeout) and (not late or limit >= min(self._timeout, FAIR_SECONDS)):
                self._not_there(request, upstream, passage)
            if request.method == "GET" or isinstance(error, NOTHING_SENT):
                raise TryAgainError("timeout" if late else "connection") from None
            raise uncertain() from None
        finally:
            elapsed = self._clock() - started
            self._metrics.orderdesk_calls.labels(request.endpoint, request.method, status).inc()
            self._metrics.orderdesk_duration.labels(request.endpoint, request.method).observe(elapsed)
            step("orderdesk", f"{request.method} {request.endpoint}", status, elapsed)
            self._logger.info(
                "orderdesk.call",
                request_id=request.request_id,
                endpoint=request.endpoint,
                method=request.method,
                status=status,
                duration_ms=round(elapsed * 1000, 1),
            )
        if response.status_code >= 500:
            self._not_there(request, upstream, passage)
        else:
            self._there(request, upstream, passage)
        return self._read(request, response, upstream.bucket, ticket)

    def _not_there(self, request: Request, upstream: Upstream, passage: Passage) -> None:
        if upstream.breaker.failed(passage):
            self._metrics.breaker_openings.inc()
            self._logger.warning("breaker.opened", request_id=request.request_id, store_id=request.account.store_id)
            upstream.places.look()

    def _there(self, request: Request, upstream: Upstream, passage: Passage) -> None:
        if upstream.breaker.answered(passage):
            self._logger.warning("breaker.closed", request_id=request.request_id, store_id=request.account.store_id)
        if passage.probe:
            upstream.places.forget()
            upstream.bucket.forget()

    def _build(self, request: Request, limit: float) -> httpx.Request:
        headers = {
            "ORDERDESK-STORE-ID": request.account.store_id,
            "ORDERDESK-API-KEY": request.account.api_key,
            "X-Request-ID": request.request_id,
        }
        content = None
        if request.body is not None:  # neither a Content-Type nor a body belongs on a GET
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(request.body)
        return self._http.build_request(
            request.method,
            request.path,
            params=request.parameters or None,
            headers=headers,
            content=content,
            timeout=httpx.Timeout(limit, connect=min(limit, CONNECT_SECONDS), pool=min(limit, POOL_SECONDS)),
        )

    def _read(self, request: Request, response: httpx.Response, bucket: UpstreamBucket, ticket: int) -> dict[str, Any]:
        remaining = response.headers.get("X-Tokens-Remaining", "")
        if remaining.isascii() and remaining.isdigit():
            bucket.observe(ticket, int(remaining))
        try:
            return read_answer(response, reading=request.method == "GET")
        except TryAgainError as error:
            if error.reason == RATE_LIMITED:
                bucket.close_for(error.wait or 1.0)
            raise

    def _gave_up(self, request: Request, failure: TryAgainError) -> RateLimitError | UpstreamUnavailableError:
        if failure.reason == RATE_LIMITED:
            label = self._metrics.tenant_label(request.tenant_id)
            self._metrics.rate_limit_hits.labels(label, "orderdesk").inc()
            return rate_limited(failure.wait or 1)
        return UpstreamUnavailableError(
            "OrderDesk could not be reached or did not answer in time; nothing was changed.", reason=failure.reason
        )


def out_of_time() -> UpstreamUnavailableError:
    return UpstreamUnavailableError(
        "Too little time was left to ask OrderDesk; nothing was changed.", reason="deadline"
    )


def rate_limited(seconds: float) -> RateLimitError:
    return RateLimitError(
        "OrderDesk's rate limit for this store is used up.", retry_after_seconds=retry_after(seconds), limit="orderdesk"
    )
