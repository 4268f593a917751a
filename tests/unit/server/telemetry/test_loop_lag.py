import asyncio
import time

from server.telemetry.loop_lag import EVERY_SECONDS, LoopLag
from server.telemetry.metrics import Metrics


def lag(metrics: Metrics, suffix: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"event_loop_lag_seconds_{suffix}", labels) or 0.0


async def observed(metrics: Metrics, count: int) -> None:
    async with asyncio.timeout(10):
        while lag(metrics, "count") < count:  # noqa: ASYNC110 - a timer signals nobody
            await asyncio.sleep(EVERY_SECONDS / 10)


async def test_what_holds_the_loop_is_seen_as_long_as_it_held_it(metrics: Metrics) -> None:
    watched = LoopLag(metrics)
    watched.start()
    await observed(metrics, 1)
    before = lag(metrics, "sum")
    time.sleep(4 * EVERY_SECONDS)  # noqa: ASYNC251 - this is what must not happen in a server
    await observed(metrics, 2)
    watched.stop()

    assert lag(metrics, "sum") - before >= 3 * EVERY_SECONDS - 0.002
    assert lag(metrics, "count") - lag(metrics, "bucket", le="0.1") >= 1


async def test_after_its_end_nothing_is_observed(metrics: Metrics) -> None:
    watched = LoopLag(metrics)
    watched.start()
    await observed(metrics, 1)
    watched.stop()
    seen = lag(metrics, "count")
    await asyncio.sleep(2 * EVERY_SECONDS)

    assert lag(metrics, "count") == seen


def test_what_never_began_ends_without_a_word(metrics: Metrics) -> None:
    LoopLag(metrics).stop()
