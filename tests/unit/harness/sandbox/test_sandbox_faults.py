"""Faults that end in an answer; those that end a connection are tested with real sockets."""

from typing import Any

import pytest

from tests.unit.harness.sandbox.desk import Desk


def use(desk: Desk, *faults: dict[str, Any], seed: int = 1) -> None:
    desk.control("PUT", "/faults", {"seed": seed, "faults": list(faults)})


def statuses(desk: Desk, count: int, path: str = "/test") -> list[int]:
    return [desk.api("GET", path).status_code for _ in range(count)]


def test_nothing_goes_wrong_unasked(desk: Desk) -> None:
    assert desk.control("GET", "/faults") == {"seed": 1, "faults": []}
    assert statuses(desk, 20) == [200] * 20


def test_a_429_is_answered_with_its_own_retry_after(desk: Desk) -> None:
    use(desk, {"kind": "too_many_requests", "retry_after": 7})
    answer = desk.api("DELETE", f"/orders/{desk.first_id}")
    assert (answer.status_code, answer.headers["X-Retry-After"]) == (429, "7")
    assert answer.json()["status"] == "error"
    assert not desk.journal()[-1]["applied"]


@pytest.mark.parametrize("applied", [False, True])
def test_a_server_error_is_html_and_may_come_after_the_write(desk: Desk, applied: bool) -> None:  # noqa: FBT001
    use(desk, {"kind": "server_error", "status": 502, "applied": applied, "count": 1})
    answer = desk.api("DELETE", f"/orders/{desk.first_id}")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")
    assert desk.journal()[-1]["applied"] is applied
    assert desk.api("GET", f"/orders/{desk.first_id}").status_code == (404 if applied else 200)


def test_an_error_inside_200_applies_nothing(desk: Desk) -> None:
    use(desk, {"kind": "error_in_200", "message": "Try again", "count": 1})
    assert desk.refused("DELETE", f"/orders/{desk.first_id}") == "Try again"
    assert desk.order(desk.first_id)


def test_truncated_json_follows_an_applied_write(desk: Desk) -> None:
    use(desk, {"kind": "wrong_json", "count": 1})
    answer = desk.api("PUT", f"/orders/{desk.first_id}", json={"email": "a@example.com"})
    assert answer.status_code == 200
    assert answer.text.startswith('{"status":"success"')
    with pytest.raises(ValueError, match="line 1"):
        answer.json()
    assert desk.order(desk.first_id)["email"] == "a@example.com"


def test_html_can_stand_where_json_should_be(desk: Desk) -> None:
    use(desk, {"kind": "wrong_json", "form": "html"})
    answer = desk.api("GET", "/test")
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (200, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_fault_stops_after_its_count_and_says_how_often_it_fired(desk: Desk) -> None:
    use(desk, {"kind": "server_error", "count": 2})
    assert statuses(desk, 4) == [503, 503, 200, 200]
    assert desk.control("GET", "/faults")["faults"][0]["fired"] == 2
    assert desk.control("GET", "/stats")["fault"] == {"server_error": 2}
    assert [entry["faults"] for entry in desk.journal()] == [["server_error"], ["server_error"], [], []]


def test_deleting_the_faults_ends_them(desk: Desk) -> None:
    use(desk, {"kind": "server_error"})
    assert statuses(desk, 1) == [503]
    assert desk.control("DELETE", "/faults") == {"seed": 1, "faults": []}
    assert statuses(desk, 1) == [200]


def test_a_fault_fires_as_often_as_its_probability_says(desk: Desk) -> None:
    use(desk, {"kind": "server_error", "probability": 0.3})
    assert 60 <= statuses(desk, 300).count(503) <= 120


def test_the_same_seed_repeats_a_run_and_another_does_not() -> None:
    def run(seed: int) -> list[int]:
        desk = Desk()
        use(desk, {"kind": "server_error", "probability": 0.5}, seed=seed)
        return statuses(desk, 40)

    assert run(5) == run(5)
    assert run(5) != run(6)


def test_one_faults_draws_do_not_depend_on_the_others(desk: Desk) -> None:
    random = {"kind": "server_error", "probability": 0.5, "match": {"path_prefix": "/test"}}
    use(desk, random)
    alone = statuses(desk, 20)
    use(desk, random, {"kind": "latency", "milliseconds": [0, 1], "probability": 0.5})
    assert statuses(desk, 20) == alone


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"method": "PUT"}, False),
        ({"method": "GET"}, True),
        ({"path_prefix": "/orders"}, True),
        ({"path_prefix": "/inventory-items"}, False),
        ({"store_id": "20101"}, True),
        ({"store_id": "20102"}, False),
        ({"method": "GET", "path_prefix": "/store"}, False),
    ],
)
def test_a_fault_concerns_the_requests_it_matches(desk: Desk, match: dict[str, str], hit: bool) -> None:  # noqa: FBT001
    use(desk, {"kind": "server_error", "match": match})
    assert statuses(desk, 1, f"/orders/{desk.first_id}") == [503 if hit else 200]


def test_an_overridden_method_is_the_one_that_matches(desk: Desk) -> None:
    use(desk, {"kind": "server_error", "match": {"method": "PUT"}})
    headers = {"X-HTTP-Method-Override": "PUT"}
    assert desk.api("POST", f"/orders/{desk.first_id}", json={}, headers=headers).status_code == 503


def test_the_first_fault_that_decides_an_answer_wins(desk: Desk) -> None:
    use(desk, {"kind": "server_error", "count": 1}, {"kind": "too_many_requests", "count": 1})
    assert statuses(desk, 3) == [503, 429, 200]


def test_wrong_credentials_and_an_empty_bucket_come_before_faults(desk: Desk) -> None:
    use(desk, {"kind": "server_error"})
    assert desk.send("GET", "/api/v2/test").status_code == 401
    desk.control("PUT", "/bucket", {"capacity": 1})
    for expected in (503, 429):
        assert desk.send("GET", "/api/v2/test", headers=desk.headers()).status_code == expected


@pytest.mark.parametrize(
    "plan",
    [
        {"faults": [{"kind": "server_error", "cuont": 1}]},
        {"faults": [{"kind": "server_error", "match": {"host": "x"}}]},
        {"faults": [{"kind": "earthquake"}]},
        {"faults": [{"kind": "latency"}]},
        {"faults": [{"kind": "latency", "milliseconds": [9, 3]}]},
        {"faults": [{"kind": "latency", "milliseconds": -1}]},
        {"faults": [{"kind": "server_error", "status": 404}]},
        {"faults": [{"kind": "server_error", "probability": 0}]},
        {"faults": [{"kind": "server_error", "probability": 1.1}]},
        {"faults": [{"kind": "server_error", "count": 0}]},
        {"faults": [{"kind": "wrong_json", "form": "xml"}]},
        {"faults": [{"kind": "server_error", "match": {"path_prefix": "orders"}}]},
        {"rules": []},
        [],
    ],
)
def test_a_plan_that_is_not_understood_is_refused_whole(desk: Desk, plan: Any) -> None:
    use(desk, {"kind": "too_many_requests"})
    answer = desk.send("PUT", "/_sandbox/faults", json=plan)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert [fault["kind"] for fault in desk.control("GET", "/faults")["faults"]] == ["too_many_requests"]
    assert desk.send("PUT", "/_sandbox/faults", content=b"{").status_code == 400


class TestForeignWriter:
    def test_it_changes_an_order_after_the_client_read_it(self, desk: Desk) -> None:
        use(desk, {"kind": "foreign_writer", "count": 1})
        read = desk.order(desk.first_id)
        now = desk.order(desk.first_id)
        assert {name for name in read if read[name] != now[name]} == {"order_metadata", "date_updated"}
        assert now["date_updated"] > read["date_updated"]
        added = now["order_metadata"].items() - dict(read["order_metadata"]).items()
        assert [name for name, _ in added] == ["warehouse_sync"]

    def test_it_is_journaled_as_foreign_right_after_the_read(self, desk: Desk) -> None:
        use(desk, {"kind": "foreign_writer", "count": 1})
        desk.order(desk.first_id)
        read, foreign = desk.journal()
        assert (read["kind"], read["applied"], read["faults"]) == ("request", False, ["foreign_writer"])
        assert (foreign["kind"], foreign["applied"], foreign["order_id"]) == ("foreign", True, str(desk.first_id))
        assert set(foreign["changes"][0]["fields"]) == {"order_metadata", "date_updated"}
        assert desk.control("GET", "/stats")["requests"]["foreign"] == 1

    def test_a_client_that_puts_back_what_it_read_is_seen_to_lose_it(self, desk: Desk) -> None:
        use(desk, {"kind": "foreign_writer", "count": 1})
        read = desk.order(desk.first_id)
        desk.ok("PUT", f"/orders/{desk.first_id}", {**read, "email": "mine@example.com"})
        lost = desk.journal()[-1]["changes"][0]["fields"]["order_metadata"]
        assert "warehouse_sync" in lost["before"]
        assert "warehouse_sync" not in lost["after"]

    def test_two_writes_within_a_second_leave_the_same_date(self, desk: Desk) -> None:
        desk.ok("PUT", f"/orders/{desk.first_id}", desk.order(desk.first_id))
        use(desk, {"kind": "foreign_writer", "count": 1})
        path, headers = f"/api/v2/orders/{desk.first_id}", desk.headers()
        desk.time.wall -= 0.4
        read, again = (desk.send("GET", path, headers=headers).json()["order"] for _ in range(2))
        assert read["date_updated"] == again["date_updated"]
        assert read["order_metadata"] != again["order_metadata"]

    def test_it_uses_the_stores_tokens(self, desk: Desk) -> None:
        use(desk, {"kind": "foreign_writer", "tokens": 15, "count": 1})
        desk.order(desk.first_id)
        answer = desk.send("GET", "/api/v2/test", headers=desk.headers())
        assert answer.headers["X-Tokens-Remaining"] == "3"

    def test_lists_writes_and_unknown_orders_do_not_wake_it(self, desk: Desk) -> None:
        use(desk, {"kind": "foreign_writer"})
        desk.api("GET", "/orders")
        desk.api("GET", "/orders/1")
        desk.api("GET", f"/orders/{desk.first_id}/order-items")
        desk.api("PUT", f"/orders/{desk.first_id}", json={})
        assert [entry["kind"] for entry in desk.journal()] == ["request"] * 4
        assert desk.control("GET", "/stats")["requests"]["foreign"] == 0

    def test_each_write_has_a_value_of_its_own(self, desk: Desk) -> None:
        use(desk, {"kind": "foreign_writer"})
        for _ in range(4):
            desk.order(desk.first_id)
        foreign = [entry for entry in desk.journal() if entry["kind"] == "foreign"]
        values = [entry["changes"][0]["fields"]["order_metadata"]["after"]["warehouse_sync"] for entry in foreign]
        assert len(set(values)) == 4
