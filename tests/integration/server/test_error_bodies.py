"""Whatever path refuses a request, its body carries the id that the log is searched for."""

import pytest

from tests.integration.server.bench import Bench


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/health", 405),
        ("GET", "/health/detailed", 401),
        ("GET", "/metrics", 401),
        ("POST", "/webhooks/orderdesk", 400),
        ("PATCH", "/webhooks/orderdesk", 405),
    ],
)
def test_an_error_s_body_carries_the_request_s_id(bench: Bench, method: str, path: str, status: int) -> None:
    for given in ({}, {"X-Request-Id": "mine-1"}):
        answer = bench.upstream.http.request(method, bench.base_url + path, headers=given)
        assert answer.status_code == status
        error = answer.json()["error"]
        assert error["request_id"] == answer.headers["X-Request-Id"]
        assert given.get("X-Request-Id") in (None, answer.headers["X-Request-Id"])


@pytest.mark.parametrize(("path", "method"), [("/mcp", "GET"), ("/health", "DELETE"), ("/webhooks/orderdesk", "GET")])
def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(bench: Bench, path: str, method: str) -> None:
    answer = bench.upstream.http.request(method, bench.base_url + path)
    assert answer.status_code == 405
    assert ("GET" if path == "/health" else "POST") in answer.headers["Allow"]
