"""The workload carried out on servers side by side, each with a sandbox of its own; every answer is kept."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from harness.client import Client, ClientError
from harness.connections import LIMITS, certificates
from harness.progress import Progress
from harness.sandbox.client import SandboxClient
from harness.sandbox.errors import SandboxError
from harness.targets import LocalTarget
from perf.caching.questions import Question, State
from perf.caching.truth import Answer
from perf.caching.workload import Change, Step, Write
from perf.errors import PerfError

MOST: Final = 500
"""Objects that OrderDesk lists at once."""
AT_ONCE: Final = 8
"""Steps of each server, about; others that are due wait."""


@dataclass
class Arm:
    """One of the servers: what it is called, and what clients saw of it. Times are of the monotonic clock.

    `acknowledged` has when a client knew that its write was done, by the write's request.
    """

    name: str
    target: LocalTarget
    client: Client
    upstream: httpx.Client
    initial: State
    since: int
    """Of the sandbox's journal: what comes later is of the workload."""
    answers: list[Answer] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def do(self, step: Step) -> None:
        """Carry a step out; what goes wrong is kept in a line."""
        try:
            match step.deed:
                case Question():
                    self._ask(step.deed)
                case Write():
                    self._write(step.deed)
                case Change():
                    self._change(step.deed)
        except (ClientError, PerfError, httpx.HTTPError) as error:
            self.troubles.append(f"{type(error).__name__}: {error}"[:200])

    def cached_tools(self) -> set[str]:
        """The tools that say of an answer whether it was cached. Raises ClientError's kinds."""
        schemas = {tool["name"]: tool.get("outputSchema") or {} for tool in self.client.list_tools()}
        return {name for name, schema in schemas.items() if "cached" in schema.get("properties", {})}

    def journal(self) -> list[dict[str, Any]]:
        """What the sandbox answered and changed since the beginning. Raises SandboxError where some of it is lost."""
        with SandboxClient(self.target.sandbox.base_url) as control:
            entries = control.journal(self.since)
        if not entries:
            raise SandboxError(f"the journal has nothing after {self.since}")
        return entries

    def _ask(self, question: Question) -> None:
        began = time.monotonic()
        answer, request_id = self._call(question.tool, question.arguments)
        ended = time.monotonic()
        shown = question.reading.shown(answer)
        self.answers.append(Answer(question, began, ended, bool(answer["cached"]), shown, request_id))

    def _write(self, write: Write) -> None:
        for question in write.looked_at:
            self._ask(question)
        _, request_id = self._call(write.tool, write.arguments)
        self.acknowledged[request_id] = time.monotonic()
        for question in write.looked_at:
            self._ask(question)

    def _call(self, tool: str, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
        outcome = self.client.call_tool(tool, arguments)
        if outcome.is_error or outcome.structured is None or outcome.request_id is None:
            raise PerfError(f"{tool} refused: {outcome.text}")
        return outcome.structured, outcome.request_id

    def _change(self, change: Change) -> None:
        if change.member:
            held = self.upstream.get(change.path).raise_for_status().json()[change.member]
            self.upstream.put(change.path, json={**held, **change.fields}).raise_for_status()
        else:
            self.upstream.post(change.path, json=change.fields).raise_for_status()


@contextlib.contextmanager
def arm_of(name: str, target: LocalTarget) -> Iterator[Arm]:
    """Yield a server with its sandbox unlimited, and what the sandbox holds. Raises HarnessError's kinds."""
    account = target.sandbox.accounts[0]
    headers = {"ORDERDESK-STORE-ID": account.store_id, "ORDERDESK-API-KEY": account.api_key}
    with (
        SandboxClient(target.sandbox.base_url) as control,
        target.connect() as client,
        httpx.Client(
            base_url=target.sandbox.api_url, headers=headers, trust_env=False, limits=LIMITS, verify=certificates()
        ) as upstream,
    ):
        # How many calls an account would be granted is told afterwards: here every server must get its answers.
        control.bucket(enabled=False)
        yield Arm(name, target, client, upstream, _read_state(upstream), control.last_sequence())


def carry_out(arms: Sequence[Arm], steps: Sequence[Step], progress: Progress) -> float:
    """Do every step on every server when it is due; returns when that began."""
    with ThreadPoolExecutor(AT_ONCE * len(arms)) as pool:
        began = time.monotonic()
        done: list[Future[None]] = []
        for number, step in enumerate(steps, 1):
            progress.now(f"step {number} of {len(steps)}")
            time.sleep(max(0.0, began + step.due - time.monotonic()))
            done += [pool.submit(arm.do, step) for arm in arms]
    for each in done:
        each.result()
    return began


def _read_state(upstream: httpx.Client) -> State:
    def read(path: str, member: str) -> Any:
        try:
            return upstream.get(path, params={"limit": MOST}).raise_for_status().json()[member]
        except httpx.HTTPError as error:
            raise PerfError(f"the sandbox does not show what it holds: {error}") from error

    orders, products = read("/orders", "orders"), read("/inventory-items", "inventory_items")
    return State(
        {str(each["id"]): each for each in orders},
        {str(each["id"]): each for each in products},
        read("/store", "store"),
    )
