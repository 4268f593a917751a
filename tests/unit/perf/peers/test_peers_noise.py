"""What a noisy tenant's load comes to: refusals are read, and what the quiet one waits is judged."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.collector import Run
from harness.errors import Inconclusive
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.peers.bars import Bars
from perf.peers.noise import judge_noise, refuse_unoffered
from perf.peers.noise_loop import Noise, p95_of, refuse_untrue
from perf.peers.open_loop import Stream
from perf.peers.session import UnexpectedAnswerError

NOISE = Noise(
    granted=100,
    refused=9_900,
    dropped=0,
    quiet_alone=200,
    quiet_beside=200,
    alone_p95_milliseconds=3.0,
    beside_p95_milliseconds=4.0,
    generator_share=0.2,
)


def refusal(
    seconds: object = 1, *, header: str = "1", code: str = "RATE_LIMIT_EXCEEDED", **others: Any
) -> tuple[bytes, bytes]:
    details = {"limit": "tenant", "retry_after_seconds": seconds, **others}
    result = {"isError": True, "structuredContent": {"error": {"code": code, "details": details}}}
    head = f"HTTP/1.1 200 OK\r\nRetry-After: {header}"
    return head.encode(), json.dumps({"id": 1, "result": result}).encode()


def test_a_true_refusal_is_one() -> None:
    refuse_untrue(*refusal(), longest_wait=1)
    refuse_untrue(*refusal(7, header="7"), longest_wait=7)


@pytest.mark.parametrize(
    "answer",
    [
        refusal(2, header="2"),
        refusal(0, header="0"),
        refusal(1, header="2"),
        refusal(1.0),
        refusal(None),
        refusal(limit="orderdesk"),
        refusal(code="UPSTREAM_UNAVAILABLE"),
        (b"HTTP/1.1 200 OK", refusal()[1]),
        (refusal()[0], b'{"id": 1, "result": {"structuredContent": {}}}'),
        (refusal()[0], b"no JSON"),
        (refusal()[0], refusal()[1].replace(b"true", b"false")),
    ],
)
def test_what_is_no_true_refusal_is_a_wrong_answer(answer: tuple[bytes, bytes]) -> None:
    with pytest.raises(UnexpectedAnswerError):
        refuse_untrue(*answer, longest_wait=1)


@pytest.mark.parametrize(
    ("changes", "refused", "quiet"),
    [
        ({}, CheckStatus.PASSED, CheckStatus.PASSED),
        ({"granted": 600}, CheckStatus.FAILED, CheckStatus.PASSED),
        ({"beside_p95_milliseconds": 7.9}, CheckStatus.PASSED, CheckStatus.PASSED),
        ({"beside_p95_milliseconds": 8.1}, CheckStatus.PASSED, CheckStatus.FAILED),
        ({"alone_p95_milliseconds": 10.0, "beside_p95_milliseconds": 19.0}, CheckStatus.PASSED, CheckStatus.PASSED),
        ({"alone_p95_milliseconds": 10.0, "beside_p95_milliseconds": 21.0}, CheckStatus.PASSED, CheckStatus.FAILED),
        ({"quiet_beside": 99}, CheckStatus.PASSED, CheckStatus.INCONCLUSIVE),
        ({"quiet_alone": 99}, CheckStatus.PASSED, CheckStatus.INCONCLUSIVE),
        ({"beside_p95_milliseconds": math.inf}, CheckStatus.PASSED, CheckStatus.INCONCLUSIVE),
    ],
)
def test_the_bars(changes: dict[str, Any], refused: CheckStatus, quiet: CheckStatus, tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    judge_noise(run, dataclasses.replace(NOISE, **changes), Bars(), judged=True)

    assert {each.id: each.status for each in run.checks} == {"noise.refused": refused, "noise.quiet.p95": quiet}


@pytest.mark.parametrize(("dropped", "p95"), [(0, 1.0), (5, 1.0), (6, math.inf)])
def test_a_call_that_found_no_connection_free_is_the_slowest_of_all(dropped: int, p95: float) -> None:
    stream = Stream({}, rate=10, seconds=10)
    stream.durations.extend([1.0] * (100 - dropped))
    stream.dropped = dropped

    assert p95_of(stream) == p95


def test_what_was_disturbed_is_told_and_not_judged(tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    judge_noise(run, dataclasses.replace(NOISE, refused=0), Bars(), judged=False)

    assert run.checks == []
    assert [each.name for each in run.measurements] == ["noise.refused", "noise.quiet"]


@pytest.mark.parametrize("changes", [{"dropped": 60}, {"generator_share": 0.7}, {"alone_p95_milliseconds": math.inf}])
def test_noise_that_was_not_offered_is_inconclusive(changes: dict[str, Any]) -> None:
    refuse_unoffered(NOISE, Bars())
    with pytest.raises(Inconclusive):
        refuse_unoffered(dataclasses.replace(NOISE, **changes), Bars())
