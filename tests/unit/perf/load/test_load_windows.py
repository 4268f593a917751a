"""From readings to what happened between them."""

import math
import re

import pytest

from perf.exposition import read_exposition
from perf.load.evidence import thin
from perf.load.k6 import SCRIPTS
from perf.load.sampling import place_of, read_generator
from perf.load.watching import progress_line
from perf.load.windows import EDGES, NEEDED, ProcessReading, Reading, make_windows, missing_metrics, percentile

TEXT = """# HELP cache_operations_total Cache hits
# TYPE cache_operations_total counter
cache_operations_total{operation="hit",resource_type="orders"} 7.0
cache_operations_total{operation="hit",resource_type="a \\"quoted\\" name"} 3.0
cache_operations_total{operation="miss",resource_type="orders"} 2.0
db_pool_size 5.0
db_pool_available 3.0
db_pool_waiting 1.0
process_start_time_seconds 1.7e+09
"""


def test_samples_are_summed_by_their_labels() -> None:
    found = read_exposition(TEXT)

    assert found.total("cache_operations_total") == 12
    assert found.total("cache_operations_total", operation="hit") == 10
    assert found.total("cache_operations_total", operation="hit", resource_type="orders") == 7
    assert found.total("nothing") == 0
    assert not found.has("nothing")


def test_a_window_is_the_difference_of_two_readings_per_second() -> None:
    before = Reading(
        at=1.0,
        generator={"http_reqs": 10, "failed": 0, "bucket_10_cached_read": 5},
        generator_process=ProcessReading(1.0),
        server=read_exposition(TEXT),
        server_process=ProcessReading(2.0),
    )
    after = Reading(
        at=3.0,
        generator={"http_reqs": 30, "failed": 4, "vus": 7, "bucket_10_cached_read": 15, "bucket_50_protocol": 10},
        generator_process=ProcessReading(1.5),
        server=read_exposition(TEXT.replace("7.0", "27.0")),
        server_process=ProcessReading(3.0, resident_bytes=1000, descriptors=9, connections=4),
        probe_milliseconds=2.5,
    )
    (window,) = make_windows([before, after])

    assert (window.requests, window.failed, window.users) == (10.0, 2.0, 7.0)
    assert window.p95_milliseconds == 50
    assert (window.generator_cpu, window.server_cpu) == (0.25, 0.5)
    assert (window.cache_hits, window.cache_misses, window.pool_in_use, window.pool_waiting) == (10.0, 0.0, 2.0, 1.0)
    assert (window.resident_bytes, window.descriptors, window.probe_milliseconds) == (1000.0, 9.0, 2.5)


def test_what_was_not_read_is_no_number() -> None:
    (window,) = make_windows([Reading(at=0.0), Reading(at=1.0)])

    assert all(math.isnan(each) for each in (window.server_cpu, window.cache_hits, window.p95_milliseconds))


@pytest.mark.parametrize(
    ("prompt", "late", "later", "milliseconds"),
    [(19, 1, 0, 1), (18, 2, 0, 25), (18, 0, 2, 10_000), (0, 0, 0, math.nan)],
)
def test_the_lag_of_the_loop_is_what_19_in_20_timers_were_within(
    prompt: int, late: int, later: int, milliseconds: float
) -> None:
    def text(*counts: int) -> str:
        lines = zip(("0.001", "0.025", "+Inf"), counts, strict=True)
        return "\n".join(f'event_loop_lag_seconds_bucket{{le="{edge}"}} {count}' for edge, count in lines) + "\n"

    before = Reading(at=0.0, server=read_exposition(text(90, 95, 95)))
    after = Reading(at=1.0, server=read_exposition(text(90 + prompt, 95 + prompt + late, 95 + prompt + late + later)))
    (window,) = make_windows([before, after])

    assert window.loop_lag_milliseconds == pytest.approx(milliseconds, nan_ok=True)


@pytest.mark.parametrize(("share", "edge"), [(0.5, 10), (0.94, 10), (0.95, 10), (0.96, 100)])
def test_a_percentile_is_the_edge_that_so_many_are_within(share: float, edge: int) -> None:
    assert percentile({1: 0.0, 10: 95.0, 100: 5.0}, share) == edge


def test_the_scripts_keep_the_histogram_that_is_read() -> None:
    script = (SCRIPTS / "measures.js").read_text(encoding="utf-8")
    (edges,) = re.findall(r"const EDGES = \[(.*)\];", script)

    assert tuple(int(edge) for edge in edges.split(",")) == EDGES


def test_a_metric_that_the_server_lacks_is_named() -> None:
    text = "\n".join(f"{name} 1" for name in NEEDED if name != "db_pool_waiting")

    assert missing_metrics([Reading(at=0.0, server=read_exposition(text))]) == ("db_pool_waiting",)
    assert missing_metrics([Reading(at=0.0)]) == NEEDED


def test_what_the_generator_counts_is_read_from_its_api() -> None:
    def metric(name: str, **sample: float) -> dict[str, object]:
        return {"id": name, "attributes": {"sample": sample}}

    found = read_generator(
        {
            "data": [
                metric("http_reqs", count=200, rate=20.5),
                metric("http_req_failed", rate=0.05),
                metric("vus", value=4),
                metric("http_req_duration", avg=1.5),
            ]
        }
    )

    assert found == {"http_reqs": 200.0, "http_req_failed": 0.05, "vus": 4.0, "failed": 10.0}


def test_long_series_are_thinned_to_means() -> None:
    assert thin([(1.0, 2.0), (2.0, 4.0), (3.0, 9.0)], most=2) == [(1.5, 3.0), (3.0, 9.0)]
    assert thin([(1.0, 2.0)], most=2) == [(1.0, 2.0)]


def test_the_line_of_progress_says_rate_errors_and_p95() -> None:
    (window,) = make_windows([Reading(at=0.0), Reading(at=1.0, generator={"http_reqs": 90, "bucket_7_tool": 90})])

    assert progress_line("smoke", window, 3.2, 60) == "smoke: 3 of 60 s, 90 requests/s, 0 errors/s, p95 ≤ 7 ms"


def test_health_and_metrics_are_at_the_root_of_the_endpoint() -> None:
    assert place_of("https://mcp.example.com:8443/mcp", None).base_url == "https://mcp.example.com:8443"
