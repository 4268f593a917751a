"""The `[bench]` table of ops.toml, and what is read of a report that pytest-benchmark writes."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perf.errors import PerfError
from perf.loss import Limits, Percent


class BenchTable(Limits):
    """`[bench]`: how benchmarks are measured, and from when on a slower one fails."""

    blocks: Annotated[int, Field(ge=3, le=100)] = 12
    """Blocks ABBA of a comparison: four processes each."""
    seconds: Annotated[float, Field(gt=0, le=60)] = 0.1
    """How long a process measures each benchmark, at least."""
    minimum_rounds: Annotated[int, Field(ge=1)] = 20
    """With fewer in any process the benchmark is inconclusive."""
    slower_percent: Percent = 10.0
    visible_percent: Percent = 30.0


class Stats(BaseModel):
    """Seconds of a call, over rounds."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    min: Annotated[float, Field(gt=0)]
    median: Annotated[float, Field(gt=0)]
    rounds: Annotated[int, Field(ge=0)]


class Benchmark(BaseModel):
    """One benchmark; `fullname` is its test's id."""

    fullname: str
    stats: Stats


class Report(BaseModel):
    """A report; its many other members are not read."""

    benchmarks: list[Benchmark]


def read_report(path: Path) -> dict[str, Stats]:
    """Return the figures by the id of their test. Raises PerfError for what is no report, or measured nothing."""
    try:
        report = Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PerfError(f"pytest-benchmark left no report: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise PerfError(f"pytest-benchmark left no usable report: {place}: {first['msg']}") from error
    if not report.benchmarks:
        raise PerfError("pytest-benchmark's report holds no benchmark")
    return {benchmark.fullname: benchmark.stats for benchmark in report.benchmarks}
