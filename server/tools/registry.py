"""The tools that this server offers, and the one way in which each is run."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson
from prometheus_client import Counter, Histogram

from server.audit import Audit
from server.clock import Monotonic, now_milliseconds
from server.errors import InternalError, RateLimitError, ToolError, UpstreamUnavailableError
from server.limits import TenantLimiter, retry_after
from server.telemetry.logging import Logger
from server.telemetry.metrics import Level, Metrics
from server.telemetry.tracking.trail import step
from server.tenancy.tenants import Caller
from server.tools import inventory, items, order_writes, orders, products, settings, shipments, stores, tenants
from server.tools.call import Call, Services
from server.tools.declaration import READ_COST, Tool

ALL: Final[tuple[Tool[Any], ...]] = (
    *tenants.TOOLS,
    *stores.TOOLS,
    *settings.TOOLS,
    *orders.TOOLS,
    *order_writes.TOOLS,
    *items.TOOLS,
    *shipments.TOOLS,
    *products.TOOLS,
    *inventory.TOOLS,
)
EVERY_TOOLSET: Final = "all"
ALWAYS: Final = frozenset({"tenant_use_master_key"})
UNKNOWN_TOOL: Final = "unknown"
FLUSH_PATIENCE_SECONDS: Final = 1.0
# What OrderDesk calls its objects: the numbers of one or two, or of the first and how many more.
NUMBERED: Final = re.compile(r"\d{1,12}(/\d{1,12}| and \d+ more)?\Z", re.ASCII)


class UnknownToolError(Exception):
    """No tool that is offered has that name; the message says which is nearest, or which toolset is switched off."""


class Reply(NamedTuple):
    """A tool's answer: encoded JSON, and the error's code and wait when it is one."""

    encoded: bytes
    error_code: str | None = None
    retry_after: int | None = None


def is_offered(tool: Tool[Any], toolsets: Collection[str]) -> bool:
    """Whether a server with these toolsets offers the tool."""
    return tool.name in ALWAYS or tool.toolset in toolsets or EVERY_TOOLSET in toolsets


class _Bound:
    """A tool with its metric children, bound once: looking labels up costs more than counting."""

    def __init__(self, tool: Tool[Any], metrics: Metrics) -> None:
        self.tool = tool
        self.duration: Histogram = metrics.tool_duration.labels(tool.name)
        self.in_progress = Level(metrics.tool_calls_in_progress.labels(tool.name))
        self.succeeded: Counter = metrics.tool_calls.labels(tool.name, "success")
        self.failed: Counter = metrics.tool_calls.labels(tool.name, "error")


class Registry:
    """Runs tools: limit, arguments, deadline, handler, audit and metrics, in that order and for all alike."""

    def __init__(
        self,
        services: Services,
        *,
        limiter: TenantLimiter,
        audit: Audit,
        metrics: Metrics,
        logger: Logger,
        deadline_seconds: float,
        tools: Iterable[Tool[Any]] = ALL,
        toolsets: Collection[str] = (EVERY_TOOLSET,),
        clock: Monotonic = time.monotonic,
    ) -> None:
        self._services = services
        self._limiter = limiter
        self._audit = audit
        self._metrics = metrics
        self._logger = logger
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        by_name = {tool.name: tool for tool in sorted(tools, key=lambda tool: tool.name)}
        self._tools = {name: _Bound(tool, metrics) for name, tool in by_name.items() if is_offered(tool, toolsets)}
        self._switched_off = {name: tool.toolset for name, tool in by_name.items() if name not in self._tools}
        self._unknown = metrics.tool_calls.labels(UNKNOWN_TOOL, "error")

    @property
    def tools(self) -> tuple[Tool[Any], ...]:
        """The tools, by name."""
        return tuple(bound.tool for bound in self._tools.values())

    async def call(self, caller: Caller, name: str, arguments: Mapping[str, Any], request_id: str) -> Reply:
        """Run a tool for `caller`. Raises UnknownToolError; every other failure is inside the reply."""
        bound = self._tools.get(name)
        if bound is None:
            self._unknown.inc()
            wait = self._limiter.take(caller.tenant_id, READ_COST)
            if wait > 0:
                return self._refusal(wait, request_id)
            raise UnknownToolError(self._unknown_tool(name))
        wait = self._limiter.take(caller.tenant_id, bound.tool.cost)
        if wait > 0:
            bound.failed.inc()
            return self._refusal(wait, request_id)
        started = self._clock()
        call = Call(self._services, caller, name, request_id, started + self._deadline_seconds)
        bound.in_progress.value += 1
        try:
            reply = await self._run(bound.tool, call, arguments)
        finally:
            bound.in_progress.value -= 1
            elapsed = self._clock() - started
            bound.duration.observe(elapsed)
        (bound.succeeded if reply.error_code is None else bound.failed).inc()
        step("tool", name, reply.error_code or "ok", elapsed)
        await self._record(bound.tool, call, reply, elapsed)
        return reply

    def _unknown_tool(self, name: str) -> str:
        if name in self._switched_off:
            toolset = self._switched_off[name]
            return f"Tool {name!r} exists, but the toolset {toolset} is switched off on this server (TOOLSETS)"
        near = difflib.get_close_matches(name[:100], self._tools, n=1)
        return f"Unknown tool {name[:100]!r}" + (f"; did you mean {near[0]!r}?" if near else "")

    async def _run(self, tool: Tool[Any], call: Call, arguments: Mapping[str, Any]) -> Reply:
        try:
            parsed = tool.parse(arguments)
            # The deadline is kept where something is waited for (cache, locks, OrderDesk): a write that was cut off
            # anywhere would have an unknown outcome, and a cache hit waits for nothing.
            return Reply(orjson.dumps(await tool.handler(call, parsed)))
        except ToolError as error:
            return self._error(call, error)
        except TimeoutError:
            return self._error(
                call,
                UpstreamUnavailableError("OrderDesk did not answer in time; nothing was changed.", reason="deadline"),
            )
        except Exception as error:  # the edge between our faults and the client
            self._metrics.unhandled_exceptions.labels(type(error).__name__).inc()
            self._logger.exception(
                "tool.crashed", request_id=call.request_id, tool=call.tool, error=type(error).__name__
            )
            return self._error(call, InternalError("The server failed; the request id finds the cause in its log."))

    def _error(self, call: Call, error: ToolError) -> Reply:
        self._metrics.errors.labels("tool", error.code, "/mcp").inc()
        wait = error.details.get("retry_after_seconds") if isinstance(error, RateLimitError) else None
        return Reply(_encode_error(error, call.request_id), error.code, wait)

    def _refusal(self, wait: float, request_id: str) -> Reply:
        error = RateLimitError(
            "Your rate limit is used up; wait before the next call.",
            retry_after_seconds=retry_after(wait),
            limit="tenant",
        )
        self._metrics.errors.labels("tool", error.code, "/mcp").inc()
        return Reply(_encode_error(error, request_id), error.code, retry_after(wait))

    async def _record(self, tool: Tool[Any], call: Call, reply: Reply, elapsed: float) -> None:
        if call.write_id is not None:  # recorded with the write
            return
        # Where nothing was found under it, what was given as an id may be anything.
        known = reply.error_code is None or (call.target is not None and NUMBERED.match(call.target))
        self._audit.record(
            (
                now_milliseconds(),
                call.caller.tenant_id,
                call.caller.key_id,
                call.request_id,
                tool.name,
                call.store_id,
                call.target if known else None,
                "success" if reply.error_code is None else "error",
                reply.error_code,
                round(elapsed * 1000),
            )
        )
        if tool.writes and not await self._audit.flushed_within(FLUSH_PATIENCE_SECONDS):
            # The write's outcome is what it is; the row stays queued and is tried again.
            self._logger.error("audit.row_waits", request_id=call.request_id, tool=tool.name)


def _encode_error(error: ToolError, request_id: str) -> bytes:
    return orjson.dumps(
        {
            "error": {
                "code": error.code,
                "message": error.message,
                "details": error.details,
                "request_id": request_id,
            }
        },
        default=str,
    )
