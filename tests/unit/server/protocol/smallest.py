"""The smallest surface that shows what a dispatcher and its transports do, and callers who need no database."""

import asyncio
from typing import Any

from mcp_types import INVALID_PARAMS

from server.attempts import TooManyWrongKeysError
from server.errors import SuspendedError
from server.protocol.dispatch import Dispatcher
from server.protocol.exchange import Exchange, Surface
from server.protocol.messages import ProtocolError
from server.tenancy.tenants import Caller

VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
META = {f"{PREFIX}protocolVersion": VERSION, f"{PREFIX}clientCapabilities": {}}
ACME = Caller("t_acme", "acme", "k_acme")
OTHER = Caller("t_other", "other", "k_other")
KEYS = {"acme-key": ACME, "acme-second": ACME, "other-key": OTHER}


def request(method: str, identity: Any = 1, **params: Any) -> dict[str, Any]:
    """A request of the older era."""
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def modern(method: str, identity: Any = 1, **params: Any) -> dict[str, Any]:
    """A request of the newest revision."""
    return request(method, identity, _meta=META, **params)


def notification(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def call(tool: str, identity: Any = 1, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", identity, name=tool, arguments=arguments)


class Smallest:
    """A surface whose tools wait until they are let go, and what happened to them."""

    def __init__(self, *, streams: bool = False) -> None:
        self.wait = 0.0
        self.release = asyncio.Event()
        self.running: list[str] = []
        self.stopped: list[str] = []
        self.surface = Surface(
            name="smallest",
            version="0",
            instructions="",
            capabilities={},
            methods={"who": self._who, "say": self._say, "boom": self._boom, "tools/call": self._call},
            take=lambda _caller: self.wait,
            self_limited=frozenset({"tools/call"}),
            streams=streams,
        )
        self.dispatcher = Dispatcher(self.surface)

    async def _who(self, exchange: Exchange, _params: dict[str, Any]) -> dict[str, Any]:
        return {"tenant": exchange.caller.tenant_id, "modern": exchange.modern, "version": exchange.version}

    async def _say(self, exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        if exchange.channel is not None:
            exchange.channel.notify("notifications/message", {"data": params.get("data")})
        if params.get("wrong"):
            raise ProtocolError(INVALID_PARAMS, "Said wrong")
        return {"said": params.get("data")}

    async def _boom(self, _exchange: Exchange, _params: dict[str, Any]) -> dict[str, Any]:
        raise RuntimeError("a secret detail")

    async def _call(self, exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        name, arguments = str(params["name"]), params.get("arguments") or {}
        exchange.notes.tool = name
        if name == "limited":
            exchange.notes.error_code, exchange.retry_after = "RATE_LIMIT_EXCEEDED", 7
        if name == "tenant_use_master_key":
            owner = KEYS.get(arguments["master_key"])
            if owner is None or owner.tenant_id != exchange.caller.tenant_id:
                exchange.notes.error_code = "AUTH_ERROR"
        if name.startswith("slow"):
            self.running.append(name)
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.stopped.append(name)
                raise
        return {"tool": name, "tenant": exchange.caller.tenant_id}


class Keys:
    """Who the keys belong to; a test may revoke and suspend. `tried` are the addresses of too many wrong keys."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.suspended: set[str] = set()
        self.tried: set[str] = set()

    async def authenticate(self, key: str | None, address: str | None = None) -> Caller | None:
        caller = None if key is None or key in self.revoked else KEYS.get(key)
        if caller is None and address in self.tried:
            raise TooManyWrongKeysError(4.2)
        if caller is not None and caller.tenant_id in self.suspended:
            raise SuspendedError
        return caller
