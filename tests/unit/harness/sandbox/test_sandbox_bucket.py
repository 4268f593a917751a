from typing import Any

import pytest

from harness.sandbox.bucket import Bucket, BucketSettings
from tests.unit.harness.sandbox.desk import Desk, FakeTime


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def bucket(time: FakeTime) -> Bucket:
    return Bucket(BucketSettings(), lambda: time.monotonic)


def empty(bucket: Bucket) -> int:
    taken = 0
    while bucket.take():
        taken += 1
    return taken


def test_a_full_bucket_lets_twenty_requests_through_at_once(bucket: Bucket) -> None:
    assert empty(bucket) == 20
    assert bucket.remaining() == 0


def test_three_tokens_come_back_each_second(bucket: Bucket, time: FakeTime) -> None:
    empty(bucket)
    time.advance(0.32)
    assert not bucket.take()
    time.advance(0.02)
    assert bucket.take()
    time.advance(2)
    assert empty(bucket) == 6


def test_a_bucket_never_holds_more_than_its_capacity(bucket: Bucket, time: FakeTime) -> None:
    time.advance(3_600)
    assert bucket.remaining() == 20


def test_refused_requests_cost_nothing(bucket: Bucket, time: FakeTime) -> None:
    empty(bucket)
    for _ in range(50):
        bucket.take()
    time.advance(0.34)
    assert bucket.take()


def test_retry_after_is_long_enough_for_one_request(time: FakeTime) -> None:
    bucket = Bucket(BucketSettings(capacity=1, refill_per_second=0.3), lambda: time.monotonic)
    assert bucket.take()
    assert bucket.retry_after() == 4  # 3.3 s, in whole seconds
    time.advance(bucket.retry_after())
    assert bucket.take()


def test_retry_after_is_never_zero(bucket: Bucket) -> None:
    empty(bucket)
    assert bucket.retry_after() == 1


def test_another_integration_can_empty_it_but_not_below(bucket: Bucket, time: FakeTime) -> None:
    bucket.drain(1_000)
    assert bucket.remaining() == 0
    time.advance(1)
    assert bucket.remaining() == 3


def test_switched_off_it_lets_everything_through_and_reads_full(bucket: Bucket) -> None:
    bucket.configure(BucketSettings(enabled=False))
    for _ in range(100):
        assert bucket.take()
    bucket.drain(5)
    assert bucket.remaining() == 20


def test_every_answer_says_how_many_tokens_remain_and_the_last_one_when_to_retry(desk: Desk) -> None:
    for left in range(19, -1, -1):
        answer = desk.send("GET", "/api/v2/test", headers=desk.headers())
        assert (answer.status_code, answer.headers["X-Tokens-Remaining"]) == (200, str(left))
        assert "X-Retry-After" not in answer.headers
    answer = desk.send("GET", "/api/v2/test", headers=desk.headers())
    assert (answer.status_code, answer.headers["X-Tokens-Remaining"], answer.headers["X-Retry-After"]) == (
        429,
        "0",
        "1",
    )
    assert answer.json()["status"] == "error"
    desk.time.advance(1)
    assert desk.send("GET", "/api/v2/test", headers=desk.headers()).headers["X-Tokens-Remaining"] == "2"


def test_a_refused_write_changes_nothing(desk: Desk) -> None:
    desk.control("PUT", "/bucket", {"capacity": 1})
    path = f"/api/v2/orders/{desk.first_id}"
    assert desk.send("GET", path, headers=desk.headers()).status_code == 200
    assert desk.send("DELETE", path, headers=desk.headers()).status_code == 429
    desk.time.advance(1)
    assert desk.send("GET", path, headers=desk.headers()).status_code == 200


def test_each_store_has_a_bucket_of_its_own() -> None:
    desk = Desk(stores=2)
    for _ in range(21):
        answer = desk.send("GET", "/api/v2/test", headers=desk.headers(0))
    assert answer.status_code == 429
    assert desk.send("GET", "/api/v2/test", headers=desk.headers(1)).headers["X-Tokens-Remaining"] == "19"


def test_a_wrong_key_uses_no_token_of_the_store(desk: Desk) -> None:
    wrong = {**desk.headers(), "ORDERDESK-API-KEY": "wrong"}
    assert desk.send("GET", "/api/v2/test", headers=wrong).headers["X-Tokens-Remaining"] == "20"
    assert desk.send("GET", "/api/v2/test", headers=desk.headers()).headers["X-Tokens-Remaining"] == "19"


def test_it_is_switched_and_resized_over_the_control_path(desk: Desk) -> None:
    store_id = desk.stores[0].id
    assert desk.control("GET", "/bucket")[store_id] == {
        "enabled": True,
        "capacity": 20,
        "refill_per_second": 3.0,
        "tokens_remaining": 20,
    }
    changed = desk.control("PUT", "/bucket", {"capacity": 5})[store_id]
    assert (changed["capacity"], changed["refill_per_second"], changed["tokens_remaining"]) == (5, 3.0, 5)
    assert desk.control("PUT", "/bucket", {"enabled": False})[store_id]["capacity"] == 5
    mistakes: list[Any] = [{"capacity": 0}, {"refill_per_second": 0}, {"size": 3}, []]
    for wrong in mistakes:
        assert desk.send("PUT", "/_sandbox/bucket", json=wrong).status_code == 400
