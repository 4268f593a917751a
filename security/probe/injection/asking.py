"""Calls with hostile text: what came back for each, and patience with a server that limits how many there may be."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from harness.client import Client, HttpStatusError, ProtocolError, RpcError, ToolOutcome
from harness.errors import Inconclusive
from security.probe.calls import Samples, sample_calls
from security.probe.patience import TOO_MANY_REQUESTS, asked_to_wait
from security.probe.site import Site

PATIENCE_SECONDS = 60.0
"""How long a probe waits in all for a limit of the server's."""

ADVICE = (
    "ask this group alone, while nothing else uses the tenant (--only injection, or a single probe of it), or audit an"
    " instance with a higher limit (RATE_LIMIT_RPM)"
)
"""What can be done about a limit that a probe does not get through."""
LIMITED = re.compile(r"rate.?limit|too many|\b429\b", re.IGNORECASE)


@dataclass(frozen=True)
class Seen:
    """What came back for one text: whether the call succeeded, all the text of the answer, the seconds.

    `shown` is the text among the result's content, `structured` its data.
    """

    ok: bool
    text: str
    seconds: float = 0.0
    structured: Mapping[str, Any] | None = None
    shown: str = ""


@dataclass(frozen=True)
class Vector:
    """One way for a client's text into the server: how findings tell it, and the argument's or header's own name.

    `usual` is the text of the answer when nothing of the kind is sent there; None where that tells nothing.
    """

    name: str
    send: Callable[[str], Seen]
    argument: str
    usual: str | None = None


class Asker:
    """One client's calls. `requests` counts those that were answered."""

    def __init__(self, client: Client, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.client = client
        self.requests = 0
        self._patience = patience_seconds

    def call(self, tool: str, arguments: Mapping[str, Any], headers: Mapping[str, str | None] | None = None) -> Seen:
        """What came back: a result, a tool's error or a refusal. Raises NoAnswerError where nothing did.

        A limit is waited out; raises Inconclusive where that takes too long.
        """
        while True:
            seen, answered = self._once(tool, arguments, headers)
            if (wait := _limited_for(answered)) is None:
                self.requests += 1
                return seen
            self._patience -= wait
            if self._patience < 0:
                raise Inconclusive(f"the server's limit let through {self.requests} requests: {ADVICE}")
            time.sleep(wait)

    def _once(
        self, tool: str, arguments: Mapping[str, Any], headers: Mapping[str, str | None] | None
    ) -> tuple[Seen, tuple[int, httpx.Headers]]:
        began = time.perf_counter()
        try:
            outcome = self.client.call_tool(tool, arguments, headers)
        except RpcError as error:
            told = f"{error.message} {'' if error.data is None else json.dumps(error.data)}"
            return Seen(ok=False, text=told, seconds=time.perf_counter() - began), (error.status, error.headers)
        except HttpStatusError as error:
            return Seen(ok=False, text=f"HTTP {error.status}", seconds=time.perf_counter() - began), (
                error.status,
                error.headers,
            )
        except ProtocolError as error:
            return Seen(ok=False, text=str(error), seconds=time.perf_counter() - began), (200, httpx.Headers())
        seen = Seen(not outcome.is_error, _all_text(outcome), outcome.seconds, outcome.structured, outcome.text)
        return seen, (outcome.http_status, outcome.headers)


@contextmanager
def asking(site: Site) -> Iterator[tuple[Asker, Samples]]:
    """A client of the owner's, and a call of every tool that succeeds.

    Raises Inconclusive where no tool has one, and where a limit keeps it from being known.
    """
    with site.connect() as client:
        samples = sample_calls(site, client)
        if limited := sorted(name for name, why in samples.failures.items() if LIMITED.search(why)):
            raise Inconclusive(f"the server's limit refused {', '.join(limited[:3])}: {ADVICE}")
        if not samples.calls:
            why = next(iter(samples.failures.values()), "there is none")
            raise Inconclusive(f"no tool could be called without writing, so nothing can be sent: {why}")
        yield Asker(client), samples


def _limited_for(answered: tuple[int, httpx.Headers]) -> float | None:
    """The seconds that a limiting answer asks for; None where the answer is none."""
    status, headers = answered
    return asked_to_wait(headers) if status == TOO_MANY_REQUESTS or "retry-after" in headers else None


def _all_text(outcome: ToolOutcome) -> str:
    structured = "" if outcome.structured is None else json.dumps(outcome.structured, ensure_ascii=False)
    return f"{outcome.text}\n{structured}"
