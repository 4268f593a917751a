"""Calls to OrderDesk: polite, bounded in time, retried when that is safe, and never mistaking an error for an order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx
import orjson

from server.clock import Monotonic
from server.errors import (
    AuthenticationError,
    NotFoundError,
    OrderDeskError,
    RateLimitError,
    ToolError,
    UpstreamUnavailableError,
    WriteUncertainError,
)
from server.limits import retry_after
from server.orderdesk.bucket import UpstreamBucket, UpstreamBuckets, UpstreamBusyError
from server.telemetry.logging import Logger
from server.telemetry.metrics import Metrics

BACKOFF_SECONDS: Final = 0.25
WRITE_SECONDS: Final = 5.0
LONGEST_RETRY_AFTER_SECONDS: Final = 3600.0
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
    """One call. `endpoint` is the path's template (a metric label), `deadline` is on the monotonic clock."""

    account: Account
    method: str
    endpoint: str
    path: str
    request_id: str
    deadline: float
    tenant_id: str
    parameters: dict[str, str] = field(default_factory=dict)
    body: object = None


class _TryAgainError(Exception):
    """A try that failed in a way that another may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


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
            limits=httpx.Limits(max_connections=100, keepalive_expiry=30),
        )
        self._timeout = timeout
        self._retries = retries
        self._metrics = metrics
        self._logger = logger
        self._clock = clock
        self._jitter = jitter
        self._buckets = UpstreamBuckets(clock=clock)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, request: Request) -> dict[str, Any]:
        """The body of OrderDesk's success. Raises the ToolError that tells what went wrong, or NotAppliedError."""
        failure: _TryAgainError | None = None
        for number in range(self._retries + 1):
            if failure is not None:
                self._metrics.orderdesk_retries.labels(failure.reason).inc()
                await self._pause(request, failure, number)
            bucket = self._buckets.of(request.account.upstream)
            async with self._place(request, bucket):
                await self._token(request, bucket)
                try:
                    return await self._try(request)
                except _TryAgainError as error:
                    failure = error
            if request.method != "GET":
                self._metrics.orderdesk_retries.labels(failure.reason).inc()
                await self._pause(request, failure, 1)
                raise NotAppliedError(self._gave_up(request, failure))
        assert failure is not None
        raise self._gave_up(request, failure)

    @asynccontextmanager
    async def _place(self, request: Request, bucket: UpstreamBucket) -> AsyncIterator[None]:
        """One of the account's few places: a store that hangs must not use up the connections of all others."""
        try:
            async with asyncio.timeout(request.deadline - self._clock()):
                await bucket.places.acquire()
        except TimeoutError:
            raise UpstreamUnavailableError(
                "OrderDesk did not answer this store's earlier calls in time; nothing was changed.", reason="busy"
            ) from None
        try:
            yield
        finally:
            bucket.places.release()

    async def _token(self, request: Request, bucket: UpstreamBucket) -> None:
        patience = request.deadline - self._clock()
        if request.method != "GET":
            # A write that is sent with no time left can only end as uncertain: it needs time to be answered.
            patience -= min(self._timeout, WRITE_SECONDS)
        if patience <= 0:
            raise UpstreamUnavailableError(
                "Too little time was left to ask OrderDesk; nothing was changed.", reason="deadline"
            )
        try:
            await bucket.acquire(patience)
        except UpstreamBusyError as busy:
            label = self._metrics.tenant_label(request.tenant_id)
            self._metrics.rate_limit_hits.labels(label, "orderdesk").inc()
            raise _rate_limited(busy.seconds) from None

    async def _pause(self, request: Request, failure: _TryAgainError, number: int) -> None:
        wait = failure.wait
        if wait is None:
            wait = BACKOFF_SECONDS * 2 ** (number - 1) * (0.5 + self._jitter())
        if self._clock() + wait > request.deadline:
            raise self._gave_up(request, failure)
        await asyncio.sleep(wait)

    async def _try(self, request: Request) -> dict[str, Any]:
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
            if request.method == "GET" or isinstance(error, NOTHING_SENT):
                late = isinstance(error, httpx.TimeoutException | TimeoutError)
                raise _TryAgainError("timeout" if late else "connection") from None
            raise _uncertain() from None
        finally:
            elapsed = self._clock() - started
            self._metrics.orderdesk_calls.labels(request.endpoint, request.method, status).inc()
            self._metrics.orderdesk_duration.labels(request.endpoint, request.method).observe(elapsed)
            self._logger.info(
                "orderdesk.call",
                request_id=request.request_id,
                endpoint=request.endpoint,
                method=request.method,
                status=status,
                duration_ms=round(elapsed * 1000, 1),
            )
        return self._read(request, response)

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
            timeout=limit,
        )

    def _read(self, request: Request, response: httpx.Response) -> dict[str, Any]:
        bucket = self._buckets.of(request.account.upstream)
        remaining = response.headers.get("X-Tokens-Remaining", "")
        if remaining.isascii() and remaining.isdigit():
            bucket.observe(int(remaining))
        if response.status_code == 429:
            wait = _seconds(response.headers.get("X-Retry-After"))
            bucket.close_for(wait)
            raise _TryAgainError("rate_limited", wait)
        reading = request.method == "GET"
        if response.status_code >= 500:
            if reading:
                raise _TryAgainError(
                    f"http_{response.status_code}", _seconds_or_none(response.headers.get("X-Retry-After"))
                )
            raise _uncertain()
        body = _json(response.content)
        if response.status_code in {401, 403}:
            raise AuthenticationError("OrderDesk refused the store's API key.", http_status=response.status_code)
        message = str(body.get("message", ""))[:200] if isinstance(body, dict) else ""
        if response.status_code == 404 or (_failed(body) and "not found" in message.lower()):
            raise NotFoundError(message or "OrderDesk does not know it.")
        if not response.is_success or _failed(body):
            raise OrderDeskError(message or "OrderDesk refused the request.", http_status=response.status_code)
        # Whatever does not say that it succeeded did not: a maintenance page in JSON confirms no write.
        if isinstance(body, dict) and body.get("status") == "success":
            return body
        if reading:
            raise _TryAgainError("unreadable")
        raise _uncertain()

    def _gave_up(self, request: Request, failure: _TryAgainError) -> RateLimitError | UpstreamUnavailableError:
        if failure.reason == "rate_limited":
            label = self._metrics.tenant_label(request.tenant_id)
            self._metrics.rate_limit_hits.labels(label, "orderdesk").inc()
            return _rate_limited(failure.wait or 1)
        return UpstreamUnavailableError(
            "OrderDesk could not be reached or did not answer in time; nothing was changed.", reason=failure.reason
        )


def _failed(body: object) -> bool:
    """OrderDesk reports errors inside HTTP 200 too."""
    return isinstance(body, dict) and body.get("status") == "error"


def _json(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _seconds(header: str | None) -> float:
    """X-Retry-After in seconds; one second where OrderDesk does not say."""
    return _seconds_or_none(header) or 1.0


def _seconds_or_none(header: str | None) -> float | None:
    try:
        seconds = float(header) if header else 0.0
    except ValueError:
        return None
    return min(seconds, LONGEST_RETRY_AFTER_SECONDS) if seconds > 0 else None


def _rate_limited(seconds: float) -> RateLimitError:
    return RateLimitError(
        "OrderDesk's rate limit for this store is used up.", retry_after_seconds=retry_after(seconds), limit="orderdesk"
    )


def _uncertain() -> WriteUncertainError:
    return WriteUncertainError("The write was sent to OrderDesk and its outcome is not known.")
