from collections.abc import Callable
from typing import Any

import httpx
import pytest

from server.errors import (
    AuthenticationError,
    NotFoundError,
    OrderDeskError,
    RateLimitError,
    ToolError,
    UpstreamUnavailableError,
    WriteUncertainError,
)
from server.orderdesk.client import Account, NotAppliedError, OrderDeskClient, Request
from server.telemetry.metrics import Metrics
from tests.unit.server.parts import Recorded, in_virtual_time, sample

SUCCESS = {"status": "success", "order": {"id": "1"}}
Answer = httpx.Response | Exception


class Upstream:
    """OrderDesk as a list of answers, the last one for ever; notes when it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []
        self.requests: list[httpx.Request] = []

    def transport(self, clock: Callable[[], float]) -> httpx.MockTransport:
        async def handle(request: httpx.Request) -> httpx.Response:
            self.asked.append(round(clock() - 1_000.0, 2))
            self.requests.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

        return httpx.MockTransport(handle)


def ok(body: Any = SUCCESS, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def ask(
    upstream: Upstream, *, method: str = "GET", seconds: float = 45, metrics: Metrics | None = None, **given: Any
) -> Any:
    """The body, or the error, that a call comes to; time is virtual and the jitter none."""

    async def scenario(clock: Callable[[], float]) -> Any:
        client = OrderDeskClient(
            "http://upstream.test/api/v2",
            timeout=30,
            retries=3,
            metrics=metrics or Metrics("0", "test"),
            logger=Recorded().logger,
            clock=clock,
            jitter=lambda: 0.5,
        )
        client._http._transport = upstream.transport(clock)
        account = Account("100", "u", "the-key")
        request = Request(account, method, "/orders/{id}", "/orders/1", "r-1", clock() + seconds, "t", **given)
        try:
            return await client.send(request)
        except ToolError as error:
            return error
        finally:
            await client.close()

    return in_virtual_time(scenario)


def test_a_call_carries_the_store_s_key_and_the_request_s_id_and_a_read_no_body() -> None:
    upstream = Upstream(ok())
    assert ask(upstream, parameters={"limit": "5"}) == SUCCESS
    (request,) = upstream.requests
    assert str(request.url) == "http://upstream.test/api/v2/orders/1?limit=5"
    assert request.headers["orderdesk-store-id"] == "100"
    assert request.headers["orderdesk-api-key"] == "the-key"
    assert request.headers["x-request-id"] == "r-1"
    assert "content-type" not in request.headers
    assert request.content == b""


def test_a_write_carries_its_body_as_json() -> None:
    upstream = Upstream(ok())
    ask(upstream, method="PUT", body={"email": "ü"})
    (request,) = upstream.requests
    assert request.headers["content-type"] == "application/json"
    assert request.content == '{"email":"ü"}'.encode()


def test_failures_are_tried_again_at_growing_distances() -> None:
    upstream = Upstream(httpx.Response(503))
    metrics = Metrics("0", "test")
    error = ask(upstream, metrics=metrics)
    assert isinstance(error, UpstreamUnavailableError)
    assert error.details == {"reason": "http_503"}
    assert upstream.asked == [0.0, 0.25, 0.75, 1.75]
    assert sample(metrics, "orderdesk_api_retries_total", reason="http_503") == 3


@pytest.mark.parametrize(
    ("header", "second"),
    [("7", 7.0), ("0.5", 0.5), (None, 1.0), ("soon", 1.0), ("-3", 1.0), ("0", 1.0), ("nan", 1.0)],
)
def test_a_429_waits_as_long_as_it_says_and_a_second_where_it_says_nothing(header: str | None, second: float) -> None:
    headers = {} if header is None else {"X-Retry-After": header}
    upstream = Upstream(httpx.Response(429, headers=headers), ok())
    assert ask(upstream) == SUCCESS
    assert upstream.asked == [0.0, second]


def test_a_503_that_says_how_long_is_believed_too() -> None:
    upstream = Upstream(httpx.Response(503, headers={"X-Retry-After": "4"}), ok())
    assert ask(upstream) == SUCCESS
    assert upstream.asked == [0.0, 4.0]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    upstream = Upstream(httpx.Response(429, headers={"X-Retry-After": "50"}))
    error = ask(upstream)
    assert isinstance(error, RateLimitError)
    assert error.details == {"retry_after_seconds": 50, "limit": "orderdesk"}
    assert upstream.asked == [0.0]


@pytest.mark.parametrize("count", ["0", "00"])
def test_the_tokens_that_orderdesk_has_left_slow_the_next_calls_down(count: str) -> None:
    upstream = Upstream(httpx.Response(502, headers={"X-Tokens-Remaining": count}), ok())
    assert ask(upstream) == SUCCESS
    # A third of a second for a token, which is longer than the pause before the second try.
    assert upstream.asked == [0.0, 0.33]


@pytest.mark.parametrize("count", ["many", "-1", "²", ""])
def test_an_odd_count_of_tokens_is_ignored(count: str) -> None:
    upstream = Upstream(httpx.Response(200, json=SUCCESS, headers=[(b"X-Tokens-Remaining", count.encode("latin-1"))]))
    assert ask(upstream) == SUCCESS


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401, json={"status": "error", "message": "Invalid"}), AuthenticationError),
        (httpx.Response(403), AuthenticationError),
        (httpx.Response(404, json={"status": "error", "message": "Not Found"}), NotFoundError),
        (httpx.Response(404, json={"status": "error", "message": "Store Not Found"}), OrderDeskError),
        (ok({"status": "error", "message": "Order Not Found"}), NotFoundError),
        (ok({"status": "error", "message": "The shipment was not found"}), NotFoundError),
        (ok({"status": "error", "message": "Store not found for this order"}), OrderDeskError),
        (ok({"status": "error", "message": "Folder Not Found"}), OrderDeskError),
        (httpx.Response(400, json={"message": "Order Not Found"}), OrderDeskError),
        (ok({"status": "error", "message": "Folder is locked"}), OrderDeskError),
        (httpx.Response(400, json={"message": "Bad"}), OrderDeskError),
        (httpx.Response(302, json=SUCCESS, headers={"Location": "http://elsewhere.test/"}), OrderDeskError),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_refusal_is_told_at_once_and_not_tried_again(answer: httpx.Response, kind: type, method: str) -> None:
    upstream = Upstream(answer)
    assert type(ask(upstream, method=method)) is kind
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(504),
        httpx.Response(404, text="<html>"),
        httpx.Response(404, json={"message": "Order not found"}),
        httpx.Response(404, json={"status": "success"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text='{"status":"succ'),
        httpx.Response(200, json=["not", "a", "map"]),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("closed"),
        httpx.WriteError("reset"),
    ],
    ids=repr,
)
def test_what_leaves_it_open_whether_a_write_happened_is_uncertain_and_a_read_is_tried_again(answer: Answer) -> None:
    writing = Upstream(answer)
    assert isinstance(ask(writing, method="PUT", body={}), WriteUncertainError)
    assert len(writing.asked) == 1
    reading = Upstream(answer, ok())
    assert ask(reading) == SUCCESS
    assert len(reading.asked) == 2


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("late")], ids=repr)
def test_a_write_that_never_left_is_not_repeated_blindly_but_told_as_not_made(error: Exception) -> None:
    upstream = Upstream(error, ok())
    with pytest.raises(NotAppliedError) as refused:
        ask(upstream, method="PUT", body={})
    assert isinstance(refused.value.error, UpstreamUnavailableError)
    assert len(upstream.asked) == 1


def test_what_is_told_to_a_client_is_cut_short() -> None:
    error = ask(Upstream(ok({"status": "error", "message": "not now " * 2_000})))
    assert len(error.message) == 200
