"""The `[load]` table of ops.toml: profiles of load, each with its users or arrivals, its mix and its limits."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from harness.config import Table, find_entry
from harness.sandbox.faults import Fault
from perf.capacity.model import CapacityTable
from perf.compare.model import CompareTable

Kind = Literal["cached_read", "uncached_read", "protocol", "update", "tool"]
"""What is sent and timed apart. What a read is timed as is the answer's to say: whether a cache gave it."""
Scenario = Literal["mix", "pool", "limits", "cache"]
"""A mix; more callers than the database has connections; two tenants of whom one asks too much; a few orders that all
ask for. Only the first knows `mix`."""
LOCAL_SCENARIOS = frozenset({"pool", "limits", "cache"})
"""Those that need a server, tenants or an upstream of their own."""
Rate = Annotated[float, Field(ge=0, le=1)]
Users = Annotated[int, Field(ge=1, le=10_000)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Milliseconds = dict[Kind, Annotated[float, Field(ge=0)]]


def _cached_reads() -> dict[Kind, int]:
    return {"cached_read": 1}


class Stage(Table):
    """The number of users moves evenly to `users` within `seconds`."""

    users: Annotated[int, Field(ge=0, le=10_000)]
    seconds: Seconds


class ToolCall(Table):
    """The tool that `mix.tool` calls. `expects` must occur in a right answer's text."""

    name: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any] = Field(default_factory=dict)
    expects: str = ""


class FaultWindow(Table):
    """What goes wrong at the sandbox in a run with --faults, and when. After `settle_seconds` more all must be well."""

    from_seconds: Annotated[int, Field(ge=1)]
    until_seconds: Annotated[int, Field(ge=2)]
    settle_seconds: Annotated[int, Field(ge=0)] = 7
    rules: Annotated[tuple[Annotated[Fault, Field(discriminator="kind")], ...], Field(min_length=1)]


class Profile(Table):
    """`[load.profiles.NAME]`: who sends how much of what for how long, and what must hold."""

    scenario: Scenario = "mix"
    users: Users
    """Each makes one call at a time. Where calls arrive at a rate: the most that are under way at once."""
    seconds: Seconds
    """The sum of the stages, where there are any: then it must not be given."""
    stages: tuple[Stage, ...] = ()
    """Users come and go; it begins with `users`."""
    arrivals_per_second: Annotated[float, Field(gt=0)] | None = None
    """Calls begin at this rate however slowly they are answered; in the scenario `limits`, the noisy tenant's."""
    quiet_per_second: Annotated[float, Field(gt=0)] = 20.0
    """In the scenario `limits`: the rate of the tenant that keeps within its limit."""
    think_milliseconds: Annotated[int, Field(ge=0)] = 0
    """How long a user waits after each answer."""
    mix: dict[Kind, Annotated[int, Field(ge=1)]] = Field(default_factory=_cached_reads)
    """Weights."""
    tool: ToolCall | None = None
    server: dict[str, str] = Field(default_factory=dict)
    """Settings of a server that is started for it, by the names of their environment variables."""
    fault: FaultWindow | None = None
    minimum_answers: Annotated[int, Field(ge=1)]
    """With fewer answers the run is inconclusive."""
    failed_rate: Rate = 0.0
    """The part of requests that may fail (no answer, or an HTTP status from 400)."""
    passed_rate: Rate = 1.0
    """The part of answers whose content must be right."""
    dropped_rate: Rate = 0.005
    """The part of arrivals that may find every user busy."""
    p95_milliseconds: Milliseconds = Field(default_factory=dict)
    """Limits of the 95th percentile by kind."""
    p99_milliseconds: Milliseconds = Field(default_factory=dict)
    refused_rate: Rate | None = None
    """In the scenario `limits`: the part of the noisy tenant's calls that must be refused at least."""
    hit_rate: Rate | None = None
    """The part of reads that the cache must answer at least, those that joined another's fetch included."""
    memory_growth: Annotated[float, Field(gt=0)] | None = None
    """The most that resident memory may be at the end, as a multiple of what it was after a fifth of the run."""

    @model_validator(mode="before")
    @classmethod
    def _sums_stages(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not given.get("stages"):
            return given
        stages = [Stage.model_validate(stage) for stage in given["stages"]]
        total = sum(stage.seconds for stage in stages)
        if given.get("seconds", total) != total:
            raise ValueError(f"the stages last {total} s; leave seconds out")
        return {**given, "seconds": total}

    @model_validator(mode="after")
    def _can_be_meant(self) -> Self:
        if self.stages and self.arrivals_per_second:
            raise ValueError("give stages or arrivals_per_second, not both")
        if ("tool" in self.mix) != (self.tool is not None):
            raise ValueError("mix.tool and the table tool belong together")
        self._refuse_scenario_without_its_settings()
        reads = {"cached_read", "uncached_read"}
        sent = set(self.mix) | (reads if reads & set(self.mix) else set())
        if self.scenario == "mix" and (other := ({*self.p95_milliseconds, *self.p99_milliseconds} - sent)):
            raise ValueError(f"a limit is for what is sent: {', '.join(sorted(other))} is not in the mix")
        if self.fault and not (
            self.fault.from_seconds < self.fault.until_seconds < self.seconds - self.fault.settle_seconds
        ):
            raise ValueError("the fault must begin, end, and leave time after it has settled")
        return self

    def _refuse_scenario_without_its_settings(self) -> None:
        if self.scenario == "limits" and not (
            self.arrivals_per_second and self.server.get("RATE_LIMIT_RPM", "").isdecimal() and self.seconds >= 6
        ):
            raise ValueError(
                "scenario limits needs arrivals_per_second (of the noisy tenant), server.RATE_LIMIT_RPM, a number, "
                "and 6 seconds"
            )
        if self.scenario == "cache" and not self.server.get("CACHE_TTL_ORDERS_SECONDS", "").isdecimal():
            raise ValueError("scenario cache needs server.CACHE_TTL_ORDERS_SECONDS, a number")

    @property
    def senders(self) -> str:
        """Who sends, in words."""
        if self.arrivals_per_second is not None:
            return f"{self.arrivals_per_second:g} arrivals/s"
        most = max([self.users, *(stage.users for stage in self.stages)])
        least = min([self.users, *(stage.users for stage in self.stages)])
        return f"{most} users" if least == most else f"{least} to {most} users"

    @property
    def requests_most(self) -> float | None:
        """How many calls can be sent at most, where the rate is fixed."""
        return None if self.arrivals_per_second is None else self.arrivals_per_second * self.seconds


class LoadTable(Table):
    """`[load]`: the profiles by name, how the capacity is searched for, and how revisions are compared."""

    capacity: CapacityTable = CapacityTable()
    compare: CompareTable = CompareTable()
    profiles: dict[str, Profile] = Field(default_factory=dict)

    def find(self, name: str) -> Profile:
        """Return the profile of this name. Raises ConfigurationError that names the closest one."""
        return find_entry(self.profiles, name, kind="profile", place="ops.toml's [load.profiles]")
