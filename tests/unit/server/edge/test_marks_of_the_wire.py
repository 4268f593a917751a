"""What our HTTP protocol tells the layer above of a request: whether its body has arrived."""

import asyncio
from collections.abc import MutableMapping
from typing import Any
from unittest.mock import Mock

import uvicorn
from uvicorn.server import ServerState

from server.edge.layer import WHOLE
from server.edge.wire import LimitedProtocol

HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"


async def marks_of(*parts: bytes) -> list[bool]:
    """Whether each request that arrives in these parts, a turn of the loop between them, is whole when it is seen."""
    seen: list[bool] = []

    async def application(scope: MutableMapping[str, Any], _receive: Any, send: Any) -> None:
        seen.append(WHOLE in scope)
        await send({"type": "http.response.start", "status": 204, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(application, log_config=None)
    config.load()
    protocol = LimitedProtocol(config=config, server_state=ServerState(), app_state={})
    transport = Mock(spec=asyncio.Transport)
    transport.get_extra_info.return_value = None
    transport.is_closing.return_value = False
    protocol.connection_made(transport)
    for part in parts:
        protocol.data_received(part)
        for _ in range(3):
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return seen


async def test_a_request_in_one_piece_is_whole() -> None:
    assert await marks_of(HEAD + b"{}") == [True]


async def test_a_request_whose_body_follows_is_not() -> None:
    assert await marks_of(HEAD, b"{}") == [False]
    assert await marks_of(HEAD + b"{", b"}") == [False]


async def test_each_request_of_a_connection_is_marked_by_itself() -> None:
    assert await marks_of(HEAD + b"{}", HEAD, b"{}") == [True, False]
    assert await marks_of(HEAD + b"{}" + HEAD + b"{") == [True, False]
