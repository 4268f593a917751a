import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attempts import ADDRESS_FACTOR, TooManyWrongKeysError, WrongKeys
from server.brakes import Brakes
from server.storage.database import Database
from server.telemetry.metrics import Metrics
from server.tenancy.keys import TenantKey
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from tests.unit.server.parts import FakeClock, Recorded, sample, seeded

PER_MINUTE = 10
HERE, THERE = "192.0.2.1", "192.0.2.2"
ID = "a" * 16


@pytest.fixture
def wrong_keys(metrics: Metrics, recorded: Recorded, clock: FakeClock) -> WrongKeys:
    return WrongKeys(PER_MINUTE, metrics, recorded.logger, limit=100, clock=clock)


def waits(wrong_keys: WrongKeys, key_id: str | None, address: str, *, known: bool = True) -> float:
    """The seconds that a wrong key is told to wait; 0 where it is simply refused."""
    try:
        wrong_keys.count(key_id, address, known=known)
    except TooManyWrongKeysError as error:
        return error.seconds
    return 0.0


def test_under_one_id_so_many_are_refused_and_the_next_told_to_wait(wrong_keys: WrongKeys, clock: FakeClock) -> None:
    assert [waits(wrong_keys, ID, f"192.0.2.{place}") for place in range(PER_MINUTE)] == [0.0] * PER_MINUTE
    assert waits(wrong_keys, ID, THERE) == pytest.approx(60 / PER_MINUTE)
    assert waits(wrong_keys, "b" * 16, THERE) == 0
    clock.advance(60 / PER_MINUTE)
    assert waits(wrong_keys, ID, THERE) == 0
    assert waits(wrong_keys, ID, THERE) > 0


def test_from_one_address_there_may_be_more_of_any_kind(wrong_keys: WrongKeys) -> None:
    ids = [None, *(f"{number:016}" for number in range(PER_MINUTE * ADDRESS_FACTOR - 1))]
    assert {waits(wrong_keys, key_id, HERE) for key_id in ids} == {0.0}
    assert waits(wrong_keys, None, HERE) > 0
    assert waits(wrong_keys, ID, HERE) > 0
    assert waits(wrong_keys, ID, THERE) == 0


def test_an_id_that_does_not_exist_is_told_the_same(wrong_keys: WrongKeys) -> None:
    known = [waits(wrong_keys, ID, HERE, known=True) for _ in range(PER_MINUTE + 3)]
    unknown = [waits(wrong_keys, "b" * 16, THERE, known=False) for _ in range(PER_MINUTE + 3)]
    assert known == unknown


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "unix:socket", True),
    ],
)
def test_addresses_of_one_subscriber_are_one(first: str, second: str, wrong_keys: WrongKeys, *, together: bool) -> None:
    for number in range(PER_MINUTE * ADDRESS_FACTOR):
        assert waits(wrong_keys, f"{number:016}", first) == 0
    assert (waits(wrong_keys, None, second) > 0) is together


def test_a_burst_is_logged_once_and_without_an_id_that_somebody_made_up(
    wrong_keys: WrongKeys, recorded: Recorded, metrics: Metrics, clock: FakeClock
) -> None:
    for _ in range(PER_MINUTE + 5):
        waits(wrong_keys, ID, HERE, known=True)
        waits(wrong_keys, "christophermayer", THERE, known=False)
    assert [(line["event"], line["limit"], line["key_id"]) for line in recorded.entries] == [
        ("authentication.wrong_keys", "key", ID),
        ("authentication.wrong_keys", "key", None),
    ]
    assert sample(metrics, "rate_limit_hits_total", tenant_id="", limit_type="wrong_keys") == 10
    clock.advance(30)
    for _ in range(PER_MINUTE):  # it has not been quiet since
        waits(wrong_keys, ID, HERE)
    assert len(recorded.entries) == 2
    clock.advance(60)
    for _ in range(PER_MINUTE + 1):
        waits(wrong_keys, ID, HERE)
    assert len(recorded.entries) == 3


def test_memory_is_bounded_and_what_was_used_last_is_kept(wrong_keys: WrongKeys) -> None:
    for _ in range(PER_MINUTE + 1):
        waits(wrong_keys, ID, HERE)
    for number in range(5_000):
        waits(wrong_keys, f"{number:016}", f"2001:db8:{number:x}::1")
        assert waits(wrong_keys, ID, HERE) > 0
    assert len(wrong_keys._of_ids._buckets) <= 100
    assert len(wrong_keys._of_addresses._buckets) <= 100


@seeded
@given(st.lists(st.floats(min_value=0, max_value=20), max_size=80))
def test_no_more_than_the_reserve_and_its_refill_is_ever_simply_refused(pauses: list[float]) -> None:
    clock = FakeClock()
    wrong_keys = WrongKeys(PER_MINUTE, Metrics("0", "development"), Recorded().logger, clock=clock)
    began, refused = clock.now, 0
    for pause in pauses:
        clock.advance(pause)
        wait = waits(wrong_keys, ID, HERE)
        refused += wait == 0
        assert 0 <= wait <= 60 / PER_MINUTE
        assert refused <= PER_MINUTE + (clock.now - began) * PER_MINUTE / 60 + 1e-6


async def test_the_right_key_is_let_in_whatever_was_tried_under_its_id_and_from_its_address(
    database: Database, vault: Vault, brakes: Brakes, metrics: Metrics, wrong_keys: WrongKeys, clock: FakeClock
) -> None:
    tenants = Tenants(database, vault, brakes, metrics, clock, wrong_keys)
    caller, key = await tenants.create("shop")
    guess = str(TenantKey(key.id, TenantKey.generate().secret))
    for _ in range(PER_MINUTE):
        assert await tenants.authenticate(guess, HERE) is None
    for text in (guess, guess):
        with pytest.raises(TooManyWrongKeysError):
            await tenants.authenticate(text, HERE)
    for _ in range(PER_MINUTE * ADDRESS_FACTOR - PER_MINUTE - 2):
        assert await tenants.authenticate("nonsense", HERE) is None
    for text in ("nonsense", str(TenantKey.generate())):
        with pytest.raises(TooManyWrongKeysError):
            await tenants.authenticate(text, HERE)
    assert await tenants.authenticate(None, HERE) is None
    assert await tenants.authenticate(str(key), HERE) == caller
    assert await tenants.authenticate(guess) is None  # over stdio nothing is counted
    assert sample(metrics, "auth_attempts_total", status="wrong") == PER_MINUTE + 3
