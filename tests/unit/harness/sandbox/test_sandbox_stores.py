import pytest

from tests.unit.harness.sandbox.desk import Desk


@pytest.fixture
def two() -> Desk:
    return Desk(stores=2)


def test_the_connection_can_be_tested(desk: Desk) -> None:
    assert desk.api("GET", "/test").json() == {
        "status": "success",
        "message": "Connection Successful",
        "current_date_time": "2026-11-18 11:06:41",
    }


def test_the_store_shows_folders_by_id_and_settings_with_secrets(desk: Desk) -> None:
    store = desk.ok("GET", "/store")["store"]
    assert store["id"] == desk.stores[0].id
    assert store["name"]
    assert store["settings"]["api_key"] == desk.stores[0].api_key
    assert store["settings"]["smtp_password"] not in {"", store["settings"]["api_key"]}
    assert {"timezone", "store_email"} <= set(store["settings"])
    assert all(number.isdecimal() for number in store["folders"])
    assert "New" in store["folders"].values()
    folders = {str(order["folder_id"]) for order in desk.ok("GET", "/orders")["orders"]}
    assert folders <= set(store["folders"])


@pytest.mark.parametrize("path", ["/test", "/orders", "/no-such-path"])
@pytest.mark.parametrize("wrong", ["missing", "key", "id", "key of another store"])
def test_wrong_credentials_are_401_with_an_error_body(two: Desk, path: str, wrong: str) -> None:
    headers = two.headers()
    match wrong:
        case "missing":
            headers = {}
        case "key":
            headers["ORDERDESK-API-KEY"] += "x"
        case "id":
            headers["ORDERDESK-STORE-ID"] += "1"
        case _:
            headers["ORDERDESK-API-KEY"] = two.headers(1)["ORDERDESK-API-KEY"]
    answer = two.send("GET", f"/api/v2{path}", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["status"] == "error"
    assert answer.headers["X-Tokens-Remaining"] == "20"


def test_white_space_around_a_key_is_not_part_of_it(desk: Desk) -> None:
    headers = {name: f"{value} " for name, value in desk.headers().items()}
    assert desk.send("GET", "/api/v2/test", headers=headers).status_code == 200


def test_stores_have_orders_of_their_own(two: Desk) -> None:
    orders = [two.ok("GET", "/orders", store=store)["orders"] for store in (0, 1)]
    assert {str(order["id"]) for order in orders[0]}.isdisjoint(str(order["id"]) for order in orders[1])
    other = f"/orders/{orders[1][0]['id']}"
    assert two.api("GET", other, store=0).status_code == 404
    assert two.api("DELETE", other, store=0).status_code == 404
    assert two.ok("GET", other, store=1)["order"] == orders[1][0]


def test_a_write_in_one_store_leaves_the_other_as_it_was(two: Desk) -> None:
    before = two.api("GET", "/orders", store=1).content
    two.ok("DELETE", f"/orders/{two.first_id}", store=0)
    two.ok("POST", "/inventory-items", {"name": "x", "code": "y"}, store=0)
    assert two.api("GET", "/orders", store=1).content == before
    assert two.ok("GET", "/inventory-items", store=1)["total_records"] == "100"


@pytest.mark.parametrize(
    "path", ["/", "/customers", "/orders/1/notes", "/orders/1/order-items/2/x", "/orders/", "/batch-orders", "/Test"]
)
def test_paths_that_orderdesk_does_not_document_do_not_exist(desk: Desk, path: str) -> None:
    desk.refused("GET", path, status=404)


@pytest.mark.parametrize("path", ["/orders", "/orders/1", "/inventory-items/1", "/store"])
def test_there_is_no_patch(desk: Desk, path: str) -> None:
    desk.refused("PATCH", path, {}, status=405)


def test_no_conflict_detection_is_offered(desk: Desk) -> None:
    answer = desk.api("GET", f"/orders/{desk.first_id}")
    assert not {"etag", "last-modified"} & set(answer.headers)
    body = {**answer.json()["order"], "email": "x@example.com"}
    headers = {"If-Match": '"1"', "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}
    assert desk.api("PUT", f"/orders/{desk.first_id}", json=body, headers=headers).status_code == 200


def test_nothing_is_served_elsewhere(desk: Desk) -> None:
    for path in ("/", "/api", "/api/v1/test", "/_sandbox"):
        assert desk.send("GET", path).status_code == 404
