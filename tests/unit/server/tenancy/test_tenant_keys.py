import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tenancy.keys import TenantKey, hash_secret
from tests.unit.server.parts import seeded


def test_a_key_is_read_back_as_it_was_spelled() -> None:
    for _ in range(200):
        key = TenantKey.generate()
        assert TenantKey.parse(str(key)) == key


def test_no_two_keys_share_an_id_or_a_secret() -> None:
    keys = [TenantKey.generate() for _ in range(1_000)]
    assert len({key.id for key in keys}) == len({key.secret for key in keys}) == 1_000


def test_a_secret_holds_256_bits() -> None:
    assert len(TenantKey.generate().secret) == 43


@seeded
@given(st.text(max_size=80))
def test_other_texts_are_no_keys(text: str) -> None:
    assert TenantKey.parse(text) is None


@pytest.mark.parametrize("spoil", [" {}", "{} ", "{}\n", "{}\0", "x{}", "{}A", "Bearer {}"])
def test_nothing_may_stand_around_a_key(spoil: str) -> None:
    assert TenantKey.parse(spoil.format(TenantKey.generate())) is None


def test_a_key_is_spelled_in_one_way_only() -> None:
    key = str(TenantKey.generate())
    assert TenantKey.parse(key.upper()) is None


def test_a_key_shown_by_accident_hides_its_secret() -> None:
    key = TenantKey.generate()
    assert key.secret not in repr(key)
    assert key.secret not in f"{[key]}"


def test_the_stored_hash_depends_on_secret_and_pepper_and_is_not_the_secret() -> None:
    hashes = {hash_secret(b"p" * 32, "one"), hash_secret(b"p" * 32, "two"), hash_secret(b"q" * 32, "one")}
    assert len(hashes) == 3
    assert all(len(value) == 32 for value in hashes)
    assert hash_secret(b"p" * 32, "one") == hash_secret(b"p" * 32, "one")
