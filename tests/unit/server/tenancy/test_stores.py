import os
from pathlib import Path

import pytest

from server.errors import ArgumentsError, ConflictError, StoreNotFoundError
from server.storage.database import Database
from server.tenancy import stores as stores_module
from server.tenancy.stores import Stores
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from tests.unit.server.parts import FakeClock


@pytest.fixture
def stores(database: Database, vault: Vault, clock: FakeClock) -> Stores:
    return Stores(database, vault, clock)


@pytest.fixture
async def tenant(tenants: Tenants) -> str:
    return (await tenants.create("shop"))[0].tenant_id


@pytest.fixture
async def stranger(tenants: Tenants) -> str:
    return (await tenants.create("stranger"))[0].tenant_id


async def test_a_store_answers_to_its_id_label_and_name_case_aside(stores: Stores, tenant: str) -> None:
    await stores.register(tenant, "100", "key", "Main Shop", "main")
    for identifier in ("100", "main", "MAIN", "Main shop", "  main "):
        assert (await stores.resolve(tenant, identifier)).store_id == "100"


async def test_an_id_wins_over_a_label_and_a_label_over_a_name(stores: Stores, tenant: str) -> None:
    await stores.register(tenant, "1", "key", "alpha", "2")
    await stores.register(tenant, "2", "key", "beta", "alpha")
    assert (await stores.resolve(tenant, "2")).store_id == "2"
    assert (await stores.resolve(tenant, "alpha")).store_id == "2"


async def test_a_name_that_two_stores_share_is_refused_with_their_ids(stores: Stores, tenant: str) -> None:
    await stores.register(tenant, "1", "key", "twin", None)
    await stores.register(tenant, "2", "key", "Twin", None)
    with pytest.raises(ArgumentsError) as refused:
        await stores.resolve(tenant, "twin")
    assert refused.value.details["candidates"] == ["1", "2"]


@pytest.mark.parametrize("identifier", ["\x1c", "\x1d\x1e", "\x1f"])
async def test_an_identifier_of_invisible_characters_names_no_store(
    identifier: str, stores: Stores, tenant: str
) -> None:
    await stores.register(tenant, "1", "key", "without a label", None)
    with pytest.raises(StoreNotFoundError):
        await stores.resolve(tenant, identifier)


async def test_store_ids_that_differ_in_case_alone_stay_apart(stores: Stores, tenant: str) -> None:
    await stores.register(tenant, "abc", "key", "lower", None)
    assert (await stores.register(tenant, "ABC", "key", "upper", None)).name == "upper"
    assert (await stores.resolve(tenant, "abc")).name == "lower"
    assert (await stores.resolve(tenant, "ABC")).name == "upper"


async def test_the_first_store_is_active_and_a_later_one_becomes_so_when_chosen(stores: Stores, tenant: str) -> None:
    first = await stores.register(tenant, "1", "key", "one", None)
    second = await stores.register(tenant, "2", "key", "two", None)
    assert (first.is_default, second.is_default) == (True, False)
    assert (await stores.resolve(tenant, None)).store_id == "1"
    assert (await stores.use(tenant, "two")).is_default
    assert (await stores.resolve(tenant, None)).store_id == "2"
    assert [store.is_default for store in await stores.all(tenant)] == [False, True]


async def test_the_choice_outlives_the_process(stores: Stores, tenant: str, database: Database, vault: Vault) -> None:
    await stores.register(tenant, "1", "key", "one", None)
    await stores.register(tenant, "2", "key", "two", None)
    await stores.use(tenant, "2")
    assert (await Stores(database, vault).resolve(tenant, None)).store_id == "2"


async def test_what_one_process_chose_another_sees_within_a_second(
    stores: Stores, tenant: str, database: Database, vault: Vault, clock: FakeClock
) -> None:
    elsewhere = Stores(database, vault, clock)
    await stores.register(tenant, "1", "key", "one", None)
    await stores.register(tenant, "2", "key", "two", None)
    assert (await elsewhere.resolve(tenant, None)).store_id == "1"
    await stores.use(tenant, "2")
    clock.advance(1.0)
    assert (await elsewhere.resolve(tenant, None)).store_id == "2"


async def test_without_an_active_store_the_message_says_what_to_do(stores: Stores, tenant: str) -> None:
    with pytest.raises(StoreNotFoundError, match="stores_register"):
        await stores.resolve(tenant, None)
    await stores.register(tenant, "1", "key", "one", None)
    await stores.register(tenant, "2", "key", "two", None)
    await stores.delete(tenant, "1")
    with pytest.raises(StoreNotFoundError, match="stores_use_store"):
        await stores.resolve(tenant, None)


async def test_a_label_is_given_once(stores: Stores, tenant: str) -> None:
    await stores.register(tenant, "1", "key", "one", "main")
    await stores.register(tenant, "2", "key", "two", "other")
    for store_id in ("2", "3"):
        with pytest.raises(ConflictError, match="label"):
            await stores.register(tenant, store_id, "key", "two", "MAIN")
    assert (await stores.resolve(tenant, "2")).label == "other"


async def test_a_store_registered_again_has_the_new_key_and_name_and_keeps_what_was_not_given(
    stores: Stores, tenant: str, stranger: str
) -> None:
    theirs = await stores.register(stranger, "1", "key", "uno", "main")
    first = await stores.register(tenant, "1", "key", "one", "main")
    await stores.register(tenant, "2", "key", "two", None)
    again = await stores.register(tenant, "1", "other", "one again", None)
    assert (again.id, again.name, again.label, again.is_default) == (first.id, "one again", "main", True)
    assert (await stores.register(tenant, "1", "other", "one again", "Main")).label == "Main"
    assert stores.api_key(again) == "other"
    assert again.upstream == stores.identity("1", "other") != first.upstream
    assert [store.store_id for store in await stores.all(tenant)] == ["1", "2"]
    assert await stores.resolve(stranger, "1") == theirs


async def test_a_delivery_of_the_webhook_is_checked_against_the_key_that_was_just_replaced(
    stores: Stores, tenant: str
) -> None:
    await stores.register(tenant, "1", "key", "one", None)
    await stores.of_store_id("1")
    await stores.register(tenant, "1", "other", "one", None)
    assert [stores.api_key(store) for store in await stores.of_store_id("1")] == ["other"]


async def test_a_key_that_cannot_be_opened_any_more_is_replaced_like_any_other(
    stores: Stores, tenant: str, database: Database, clock: FakeClock
) -> None:
    await stores.register(tenant, "1", "key", "one", "main")
    elsewhere = Stores(database, Vault(os.urandom(32)), clock)
    again = await elsewhere.register(tenant, "1", "other", "one", None)
    assert (elsewhere.api_key(again), again.label) == ("other", "main")


async def test_a_tenant_with_as_many_stores_as_it_may_have_can_still_replace_a_key(
    stores: Stores, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores_module, "STORES_PER_TENANT", 1)
    await stores.register(tenant, "1", "key", "one", None)
    with pytest.raises(ConflictError, match="1 stores"):
        await stores.register(tenant, "2", "key", "two", None)
    assert stores.api_key(await stores.register(tenant, "1", "other", "one", None)) == "other"


async def test_tenants_see_none_of_each_others_stores(stores: Stores, tenant: str, stranger: str) -> None:
    await stores.register(tenant, "1", "key", "one", "main")
    for identifier in ("1", "main", "one", None):
        with pytest.raises(StoreNotFoundError):
            await stores.resolve(stranger, identifier)
    with pytest.raises(StoreNotFoundError):
        await stores.use(stranger, "1")
    with pytest.raises(StoreNotFoundError):
        await stores.delete(stranger, "1")
    assert await stores.all(stranger) == ()
    assert len(await stores.all(tenant)) == 1


async def test_the_same_account_of_two_tenants_is_one_upstream_and_another_key_is_another(
    stores: Stores, tenant: str, stranger: str
) -> None:
    mine = await stores.register(tenant, "1", "key", "one", None)
    theirs = await stores.register(stranger, "1", "key", "uno", None)
    assert mine.upstream == theirs.upstream
    assert mine.id != theirs.id
    await stores.delete(stranger, "1")
    assert (await stores.register(stranger, "1", "guess", "uno", None)).upstream != mine.upstream


async def test_the_api_key_is_neither_stored_nor_shown_in_the_clear(
    stores: Stores, tenant: str, database: Database, database_file: Path
) -> None:
    store = await stores.register(tenant, "1", "very-secret-api-key", "one", None)
    assert stores.api_key(store) == "very-secret-api-key"
    assert "very-secret" not in repr(store)
    await database.close()
    stored = b"".join(path.read_bytes() for path in database_file.parent.glob("app.db*"))
    assert b"one" in stored
    assert b"very-secret" not in stored


async def test_a_deleted_store_is_gone_with_its_key(stores: Stores, tenant: str) -> None:
    await stores.register(tenant, "1", "key", "one", None)
    assert (await stores.delete(tenant, "one")).store_id == "1"
    assert await stores.all(tenant) == ()
