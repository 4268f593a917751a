"""Wrong keys over the network: they are told to slow down, the operator is told, and nobody else notices."""

from typing import Any

import httpx
import pytest

from harness.client import connect
from server.tenancy.keys import TenantKey
from tests.integration.server.bench import ERAS, Bench, error_of, modern_call


@pytest.fixture(scope="module")
def throttled(start_once: Any) -> Bench:
    """A server with the throttle as it is by default."""
    bench: Bench = start_once(WRONG_KEYS_PER_MINUTE="10")
    return bench


def show(bench: Bench, key: str) -> httpx.Response:
    """What a key is told."""
    body, headers = modern_call("server/discover")
    return bench.upstream.http.post(bench.url, json=body, headers={**headers, "Authorization": f"Bearer {key}"})


def test_wrong_keys_are_told_to_slow_down_and_right_ones_are_let_in_all_the_while(throttled: Bench) -> None:
    owner, other = throttled.new_tenant("owner"), throttled.new_tenant("other")
    key_id = owner.key.partition(".")[0].removeprefix("qm_")
    answers = []
    for _ in range(15):
        answers.append(show(throttled, str(TenantKey(key_id, TenantKey.generate().secret))))
        for tenant in (owner, other):
            assert show(throttled, tenant.key).status_code == 200
    statuses = [answer.status_code for answer in answers]
    assert statuses[:10] == [401] * 10
    assert 429 in statuses
    told = answers[statuses.index(429)]
    assert error_of(told)["data"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert 1 <= int(told.headers["retry-after"]) == error_of(told)["data"]["retry_after_seconds"] <= 6
    assert "www-authenticate" not in told.headers

    # An id that nobody has is told the same at the same count, so the answer says nothing of which ids exist.
    nobody = TenantKey.generate().id
    unknown = [show(throttled, str(TenantKey(nobody, TenantKey.generate().secret))).status_code for _ in range(11)]
    assert unknown[:10] == [401] * 10

    for _ in range(60):
        show(throttled, "nonsense")
    assert show(throttled, "nonsense").status_code == 429
    assert show(throttled, str(TenantKey.generate())).status_code == 429
    # No key is no attempt; and for the right one, in either era, nothing has changed.
    assert throttled.upstream.http.post(throttled.url, json={}).status_code == 401
    for era in ERAS:
        with connect(throttled.url, other.key, version=era) as client:
            assert client.list_tools()

    lines = throttled.events("authentication.wrong_keys")
    assert {(line["limit"], line["key_id"]) for line in lines} >= {("key", key_id), ("address", None)}
    assert len(lines) <= 4
    assert throttled.samples().total("rate_limit_hits_total", limit_type="wrong_keys") >= 3
