"""A noisy tenant that offers half of what our server can answer, beside a quiet one: who is refused, who waits."""

import dataclasses
import json
import math
from pathlib import Path

from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.record import Direction
from harness.targets import start_local
from harness.verdict import CheckStatus
from perf.peers.arms import new_tenant_arm, pin
from perf.peers.bars import Bars
from perf.peers.blocks import Stage, plan_for, run_generator
from perf.peers.noise_loop import Noise, Rates
from perf.peers.session import UnexpectedAnswerError
from perf.peers.steady import CONNECTIONS

REQUESTS_PER_MINUTE = 300
"""Both tenants' limit: far below what the noisy one asks for, and enough for the quiet one."""
SETTINGS = {"RATE_LIMIT_RPM": str(REQUESTS_PER_MINUTE), "CACHE_TTL_ORDERS_SECONDS": "3600"}
LONGEST_WAIT = math.ceil(60 / REQUESTS_PER_MINUTE)
QUIET_PER_SECOND = 20
QUIET_CONNECTIONS = 8


def measure_noise(
    run: Run,
    stage: Stage,
    rate: float,
    bars: Bars,
    *,
    processor: int,
    python: Path | None,
    judged: bool,
) -> None:
    """Offer half of `rate` (calls a second) as a noisy tenant, on a server of its own on `processor`; judge, or tell.

    Raises HarnessError when the server does not start.
    """
    half = max(round(rate / 2), 1)
    run.progress.now(f"a noisy tenant, {half} calls/s, beside a quiet one")
    logs = stage.logs / "noise"
    with start_local(logs=logs, environ=stage.environ, settings=SETTINGS, python=python) as target:
        pin(target.server.pid, processor)
        with run.check("noise", f"a noisy tenant's {half} calls/s are answered, or refused with a true wait") as check:
            try:
                noise = load_noisily(dataclasses.replace(stage, target=target, logs=logs), half, bars.noise_seconds)
            except UnexpectedAnswerError as error:
                check.fail(str(error))
                return
            _tell(check, noise)
            refuse_unoffered(noise, bars)
    if run.checks[-1].examined:
        judge_noise(run, noise, bars, judged=judged and run.checks[-1].status is CheckStatus.PASSED)


def load_noisily(stage: Stage, rate: float, seconds: float) -> Noise:
    """Load the stage's target with both tenants. Raises UnexpectedAnswerError, and ProcessError when it fails."""
    noisy, quiet = new_tenant_arm(stage.target), new_tenant_arm(stage.target)
    plans = plan_for(noisy, stage, seconds, CONNECTIONS), plan_for(quiet, stage, seconds, QUIET_CONNECTIONS)
    rates = Rates(rate, QUIET_PER_SECOND, LONGEST_WAIT)
    told = json.dumps(dataclasses.asdict(rates))
    return Noise(**json.loads(run_generator("perf.peers.noise_loop", plans, noisy, stage, told)))


def refuse_unoffered(noise: Noise, bars: Bars) -> None:
    """Raise Inconclusive where not all was offered, the quiet one got nowhere alone, or the generator was too busy."""
    asked = noise.granted + noise.refused
    if noise.dropped > bars.dropped * (asked + noise.dropped):
        raise Inconclusive(f"{noise.dropped} of {asked + noise.dropped} calls could not be sent in time")
    if not math.isfinite(noise.alone_p95_milliseconds):
        raise Inconclusive("too few of the quiet tenant's calls were answered while it was alone")
    if noise.generator_share >= bars.generator_share:
        raise Inconclusive(f"the generator used {noise.generator_share:.0%} of a processor")


def judge_noise(run: Run, noise: Noise, bars: Bars, *, judged: bool) -> None:
    """Judge how much was refused, and how long the quiet tenant waited; told only where not `judged`."""
    asked = noise.granted + noise.refused
    samples = min(noise.quiet_alone, noise.quiet_beside)
    alone = noise.alone_p95_milliseconds
    most = max(alone * bars.quiet_times, alone + bars.quiet_milliseconds)
    for name, statistic, unit, value, count, limit, direction in (
        ("noise.refused", "value", "ratio", noise.refused / max(asked, 1), asked, bars.noise_refused, Direction.HIGHER),
        ("noise.quiet", "p95", "ms", noise.beside_p95_milliseconds, samples, most, Direction.LOWER),
    ):
        run.measure(
            name,
            value,
            unit,
            statistic=statistic,
            samples=count,
            limit=limit if judged else None,
            direction=direction,
        )


def _tell(check: OpenCheck, noise: Noise) -> None:
    check.examined = noise.granted + noise.refused
    check.evidence.append(f"{noise.granted} granted, {noise.refused} refused, {noise.dropped} dropped")
    check.evidence.append(
        f"the quiet tenant's p95: {noise.alone_p95_milliseconds:.1f} ms alone ({noise.quiet_alone} calls), "
        f"{noise.beside_p95_milliseconds:.1f} ms beside the noise ({noise.quiet_beside} calls)"
    )
    check.evidence.append(f"the generator used {noise.generator_share:.0%} of a processor")
