"""Reading a tools/call as it arrives, in both eras, and writing its answer."""

from typing import Any

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from server.protocol.legible import legible
from server.protocol.messages import Message, decode, encode_result, read
from server.protocol.modern import envelope

ARGUMENTS = {
    "order_id": "110000101",
    "changes": {"shipping": {"address1": "1 Main Street", "city": "Leeds"}, "order_notes": ["Leave with a neighbour"]},
    "idempotency_key": "5f0c1d5e-0d4f-4a31-9c5c-3d1f7c1f5a10",
}
VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
META = {
    f"{PREFIX}protocolVersion": VERSION,
    f"{PREFIX}clientCapabilities": {},
    f"{PREFIX}clientInfo": {"name": "benchmark", "version": "1"},
}
HEADERS = {b"mcp-protocol-version": VERSION.encode(), b"mcp-method": b"tools/call", b"mcp-name": b"orders_update"}


def call(**members: Any) -> bytes:
    params = {"name": "orders_update", "arguments": ARGUMENTS, **members}
    return orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})


def read_modern(body: bytes) -> Message:
    message = read(decode(body))
    envelope(message, HEADERS)
    return message


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_decode_a_call(benchmark: BenchmarkFixture, era: str) -> None:
    message = (
        benchmark(read_modern, call(_meta=META))
        if era == "modern"
        else benchmark(lambda body: read(decode(body)), call())
    )
    assert message.params["arguments"] == ARGUMENTS


def test_encode_an_answer(benchmark: BenchmarkFixture, order: dict[str, Any]) -> None:
    text = orjson.dumps(order).decode()
    result = {"content": [{"type": "text", "text": text}], "structuredContent": order, "isError": False}
    assert orjson.loads(benchmark(encode_result, 7, result))["result"] == result


def test_an_answer_as_text(benchmark: BenchmarkFixture, order: dict[str, Any]) -> None:
    encoded = orjson.dumps({**order, "email": "zoë@example.com"})
    assert benchmark(legible, encoded) == encoded.decode()
