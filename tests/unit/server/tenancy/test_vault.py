import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tenancy.vault import Vault, VaultError
from tests.unit.server.parts import seeded

MASTER_KEY = bytes(range(32))
VAULT = Vault(MASTER_KEY)


@seeded
@given(plaintext=st.binary(max_size=200), tenant=st.text(max_size=20), place=st.text(max_size=20))
def test_what_was_sealed_opens_with_the_same_tenant_and_place(plaintext: bytes, tenant: str, place: str) -> None:
    sealed = VAULT.seal(tenant, place, plaintext)
    assert Vault(MASTER_KEY).open(tenant, place, sealed) == plaintext


@pytest.mark.parametrize(
    ("vault", "tenant", "place"),
    [
        pytest.param(VAULT, "t_2", "stores/s_1", id="another tenant"),
        pytest.param(VAULT, "t_1", "stores/s_2", id="another row"),
        pytest.param(VAULT, "t_1", "writes/s_1", id="another table"),
        pytest.param(Vault(os.urandom(32)), "t_1", "stores/s_1", id="another master key"),
    ],
)
def test_a_sealed_value_opens_nowhere_else(vault: Vault, tenant: str, place: str) -> None:
    sealed = VAULT.seal("t_1", "stores/s_1", b"api-key")
    with pytest.raises(VaultError):
        vault.open(tenant, place, sealed)


def test_any_flipped_bit_is_noticed() -> None:
    sealed = VAULT.seal("t_1", "stores/s_1", b"api-key")
    for position in range(len(sealed) * 8):
        spoiled = bytearray(sealed)
        spoiled[position // 8] ^= 1 << position % 8
        with pytest.raises(VaultError):
            VAULT.open("t_1", "stores/s_1", bytes(spoiled))


def test_any_shortened_value_is_noticed() -> None:
    sealed = VAULT.seal("t_1", "stores/s_1", b"api-key")
    for length in range(len(sealed)):
        with pytest.raises(VaultError):
            VAULT.open("t_1", "stores/s_1", sealed[:length])


def test_the_same_value_never_looks_the_same() -> None:
    assert len({VAULT.seal("t_1", "stores/s_1", b"api-key") for _ in range(100)}) == 100


def test_a_sealed_value_shows_nothing_of_its_plaintext() -> None:
    assert b"api-key" not in VAULT.seal("t_1", "stores/s_1", b"api-key" * 10)


def test_an_error_names_the_place_and_no_content() -> None:
    sealed = VAULT.seal("t_1", "stores/s_1", b"api-key")
    with pytest.raises(VaultError, match="stores/s_2") as refused:
        VAULT.open("t_1", "stores/s_2", sealed)
    assert "api-key" not in str(refused.value)


def test_of_several_master_keys_the_first_seals_and_each_opens() -> None:
    old = VAULT.seal("t_1", "stores/s_1", b"api-key")
    ring = Vault(os.urandom(32), MASTER_KEY)
    new = ring.seal("t_1", "stores/s_1", b"api-key")
    assert [ring.open("t_1", "stores/s_1", sealed) for sealed in (old, new)] == [b"api-key"] * 2
    assert (ring.sealed_first(old), ring.sealed_first(new)) == (False, True)
    assert (VAULT.can_open(old), VAULT.can_open(new)) == (True, False)


def test_keys_for_different_purposes_differ() -> None:
    assert VAULT.first_peppers[0] != VAULT.upstream_pepper
    assert MASTER_KEY not in {*VAULT.first_peppers, VAULT.upstream_pepper}
