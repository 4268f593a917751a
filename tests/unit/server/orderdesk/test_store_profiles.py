from typing import Any, cast

import orjson
import pytest

from server.cache import Cache, Key
from server.errors import ArgumentsError, UpstreamUnavailableError
from server.orderdesk.gateway import Gateway
from server.orderdesk.profiles import Profiles
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Store
from server.tools.call import Call
from tests.unit.server.parts import FakeClock

STORE = Store("s", "t", "1", "shop", None, is_default=True, upstream="u", sealed_api_key=b"")


class OneCall:
    """All that is asked of a call here."""

    deadline = 1e12


CALL = cast("Call", OneCall())


class Shelf:
    """OrderDesk, with one store that a test may change."""

    def __init__(self, **store: Any) -> None:
        self.body: dict[str, Any] = {"store": {"id": 1, "folders": {"10": "New", "11": "On Hold"}, **store}}
        self.asked = 0

    async def get(self, _call: object, _store: object, endpoint: str) -> dict[str, Any]:
        assert endpoint == "/store"
        self.asked += 1
        return self.body


def profiles_of(shelf: Shelf) -> tuple[Profiles, Cache]:
    cache = Cache(1 << 20, Metrics("0", "test"), FakeClock())
    return Profiles(cast("Gateway", shelf), cache, ttl=300), cache


@pytest.mark.parametrize("folders", [[], None, {}], ids=str)
async def test_a_store_without_folders_has_none_however_orderdesk_writes_that(folders: Any) -> None:
    profiles, _ = profiles_of(Shelf(folders=folders))
    assert (await profiles.folders(CALL, STORE))["folders"] == []


async def test_no_secret_reaches_the_cache() -> None:
    profiles, cache = profiles_of(Shelf(api_key="hunter2", settings={"smtp_password": "hunter2", "timezone": "UTC"}))
    result = await profiles.settings(CALL, STORE)
    assert result["store"] == {"id": 1, "settings": {"timezone": "UTC"}}

    async def never() -> bytes:
        raise AssertionError

    kept, cached = await cache.get(Key.of(STORE, "store", "profile"), 300, never)
    assert cached
    assert b"hunter2" not in kept
    assert "api_key" not in orjson.loads(kept)


async def test_an_answer_without_a_store_is_an_error_and_not_kept() -> None:
    shelf = Shelf()
    profiles, _ = profiles_of(shelf)
    right, shelf.body = shelf.body, {"status": "success"}
    with pytest.raises(UpstreamUnavailableError):
        await profiles.folders(CALL, STORE)
    shelf.body = right
    assert (await profiles.folders(CALL, STORE))["count"] == 2


async def test_a_folder_is_found_by_id_and_by_name_exactly_or_else_case_aside() -> None:
    shelf = Shelf(folders={"10": "New", "11": "NEW", "12": "On Hold"})
    profiles, _ = profiles_of(shelf)
    assert await profiles.folder_id(CALL, STORE, "12", None) == "12"
    assert await profiles.folder_id(CALL, STORE, None, "NEW") == "11"
    assert await profiles.folder_id(CALL, STORE, None, " on hold") == "12"
    assert shelf.asked == 1
    with pytest.raises(ArgumentsError, match="several folders"):
        await profiles.folder_id(CALL, STORE, None, "new")


async def test_a_folder_that_is_newer_than_the_cache_is_found_and_one_that_is_not_there_is_refused() -> None:
    shelf = Shelf()
    profiles, _ = profiles_of(shelf)
    await profiles.folders(CALL, STORE)
    shelf.body["store"]["folders"]["12"] = "Returned"
    assert await profiles.folder_id(CALL, STORE, None, "Returned") == "12"
    assert shelf.asked == 2
    with pytest.raises(ArgumentsError, match="did you mean 'Returned'"):
        await profiles.folder_id(CALL, STORE, None, "Returns")
    with pytest.raises(ArgumentsError, match="see stores_folders"):
        await profiles.folder_id(CALL, STORE, "99", None)
