"""The faults a test can ask for, as typed rules: what goes wrong, how often, and for which requests."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

Milliseconds = NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt]


class Match(BaseModel):
    """Which requests a rule concerns: all of them unless narrowed. Paths are below /api/v2, as `/orders/123`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET", "POST", "PUT", "DELETE"] | None = None
    path_prefix: str | None = Field(default=None, pattern="^/")
    store_id: str | None = None

    def covers(self, method: str, path: str, store_id: str) -> bool:
        """Whether a request is one of them; its method is the one that X-HTTP-Method-Override leaves."""
        return (
            self.method in (None, method)
            and self.store_id in (None, store_id)
            and (self.path_prefix is None or path.startswith(self.path_prefix))
        )


class Rule(BaseModel):
    """What every fault has: it fires with `probability` on a matching request, until it has fired `count` times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    probability: float = Field(default=1.0, gt=0, le=1)
    count: PositiveInt | None = None
    match: Match = Match()


class Delay(Rule):
    """A rule that takes time: fixed, or drawn from a range."""

    milliseconds: Milliseconds

    @model_validator(mode="after")
    def _range_ascends(self) -> "Delay":
        if isinstance(self.milliseconds, tuple) and self.milliseconds[0] > self.milliseconds[1]:
            raise ValueError("milliseconds must be a range from low to high")
        return self


class Latency(Delay):
    """Waits before the request is looked at; a client that gives up does not stop it from being applied."""

    kind: Literal["latency"] = "latency"


class SlowBody(Delay):
    """Sends the answer's body in small pieces that take this long in all."""

    kind: Literal["slow_body"] = "slow_body"


class TooManyRequests(Rule):
    """Answers 429 whatever the bucket holds."""

    kind: Literal["too_many_requests"] = "too_many_requests"
    retry_after: PositiveInt = 1


class ServerError(Rule):
    """Answers a 5xx with an HTML page, after having applied the request when `applied` is set."""

    kind: Literal["server_error"] = "server_error"
    status: int = Field(default=503, ge=500, le=599)
    applied: bool = False


class ConnectionReset(Rule):
    """Resets the connection without looking at the request."""

    kind: Literal["connection_reset"] = "connection_reset"


class WrongJson(Rule):
    """Applies the request and spoils the answer: JSON cut in half, or a page of HTML with status 200."""

    kind: Literal["wrong_json"] = "wrong_json"
    form: Literal["truncated", "html"] = "truncated"


class ErrorInside200(Rule):
    """Answers an error with status 200, without having applied anything."""

    kind: Literal["error_in_200"] = "error_in_200"
    message: str = "An error occurred"


class LostResponse(Rule):
    """Applies a write, then drops the connection instead of answering. Reads are left alone."""

    kind: Literal["lost_response"] = "lost_response"


class ForeignWriter(Rule):
    """After `GET /orders/{id}`, another integration changes that order and uses `tokens` of the store's bucket."""

    kind: Literal["foreign_writer"] = "foreign_writer"
    tokens: NonNegativeInt = 2


# Of these at most one can decide a request's answer.
Outcome = TooManyRequests | ServerError | ConnectionReset | WrongJson | ErrorInside200 | LostResponse
Fault = Latency | SlowBody | ForeignWriter | Outcome


class FaultPlan(BaseModel):
    """All faults in force. The same seed, plan and requests make the same faults fire."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    faults: tuple[Annotated[Fault, Field(discriminator="kind")], ...] = ()
