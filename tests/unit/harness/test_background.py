import signal
import threading
from collections.abc import Callable

import pytest

from harness.background import for_each, in_background
from harness.edge import SIGNALS

SECONDS = 10.0


def test_its_result_is_the_futures() -> None:
    assert in_background(lambda: 7).result(SECONDS) == 7


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_what_it_raises_is_raised_where_the_result_is_asked_for(error: BaseException) -> None:
    def work() -> None:
        raise error

    future = in_background(work)
    with pytest.raises(type(error)):
        future.result(SECONDS)


def test_it_takes_no_signal_and_the_main_thread_goes_on_to() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    blocked = in_background(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ())).result(SECONDS)
    assert set(SIGNALS) <= blocked
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_nobody_waits_for_it_at_the_end() -> None:
    release = threading.Event()
    before = set(threading.enumerate())
    future = in_background(lambda: release.wait(SECONDS))
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    release.set()
    assert future.result(SECONDS)
    thread.join(SECONDS)


def test_each_item_is_done_once_begun_in_order() -> None:
    begun: list[int] = []
    for_each(begun.append, range(20), 1)
    assert begun == list(range(20))
    for_each(begun.append, range(20, 200), 4)
    assert sorted(begun) == list(range(200))


def test_no_more_are_done_side_by_side_than_asked_for_and_as_many_as_that() -> None:
    together = threading.Barrier(3)
    guard, now, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        together.wait(SECONDS)  # only three at once get by
        with guard:
            now -= 1

    for_each(work, range(9), 3)
    assert most == 3


def test_what_one_raises_is_raised() -> None:
    def refuse(item: int) -> None:
        if item == 3:
            raise LookupError(item)

    with pytest.raises(LookupError):
        for_each(refuse, range(5), 2)


@pytest.mark.parametrize("at_once", [1, 4])
def test_of_nothing_nothing_is_done(at_once: int) -> None:
    never: Callable[[int], None] = pytest.fail  # type: ignore[assignment]
    for_each(never, (), at_once)
