"""The fixture server with one defect: a resource that does not exist is read as one without contents."""

import dataclasses
import secrets
import sys
from typing import Any

from server.protocol.exchange import Exchange
from server.protocol.messages import ProtocolError
from tests.conformance import resources
from tests.conformance.fixture_server import run
from tests.conformance.surface import fixture_surface


async def read_anything(exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
    try:
        return await resources.read(exchange, params)
    except ProtocolError:
        return {"contents": []}


if __name__ == "__main__":
    surface = fixture_surface(secrets.token_bytes(32))
    methods = surface.methods | {"resources/read": read_anything}
    sys.exit(run(dataclasses.replace(surface, methods=methods)))
