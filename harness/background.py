"""Work beside the main thread, which signals interrupt; an interruption never waits for this."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

from harness.edge import SIGNALS

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> "Future[T]":
    """Start `work` in a thread that ends with the process, if not before; its result or exception is the future's."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 -- raised again where the result is asked for
            future.set_exception(error)

    # A thread inherits what is blocked. One that took a signal would let it through to a main thread that holds it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        threading.Thread(target=run, daemon=True).start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return future


def for_each(work: Callable[[T], None], items: Iterable[T], at_once: int) -> None:
    """Do `work` for every item, begun in their order, `at_once` side by side. Raises what one of them raised."""
    waiting = deque(items)

    def take_all() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            work(item)

    for worker in [in_background(take_all) for _ in range(at_once)]:
        worker.result()
