"""Resources: text, bytes, one for every id of a template, and one that legacy clients may watch."""

import re
from typing import Any, Final

import orjson
from mcp_types import INVALID_PARAMS

from server.protocol.exchange import Exchange
from server.protocol.messages import ProtocolError
from server.protocol.surface import LEGACY_RESOURCE_NOT_FOUND
from tests.conformance.content import PNG, JsonObject

TEMPLATED: Final = re.compile(r"test://template/([^/]+)/data")
TEMPLATES: Final = [
    {
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "description": "Data of an id",
        "mimeType": "application/json",
    }
]
CONTENTS: Final[dict[str, JsonObject]] = {
    "test://static-text": {
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    },
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://watched-resource": {"mimeType": "text/plain", "text": "A resource that may be watched."},
}


def entries() -> list[JsonObject]:
    """What resources/list says."""
    return [
        {
            "uri": uri,
            "name": uri.removeprefix("test://"),
            "description": f"The fixture's {uri.removeprefix('test://')}",
            "mimeType": content["mimeType"],
        }
        for uri, content in CONTENTS.items()
    ]


async def read(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    """resources/read. Raises ProtocolError with the code of the era when there is no such resource."""
    uri = params.get("uri")
    if isinstance(uri, str) and (found := TEMPLATED.fullmatch(uri)):
        data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
        content = {"mimeType": "application/json", "text": orjson.dumps(data).decode()}
    elif isinstance(uri, str) and uri in CONTENTS:
        content = CONTENTS[uri]
    else:
        code = INVALID_PARAMS if exchange.modern else LEGACY_RESOURCE_NOT_FOUND
        raise ProtocolError(code, "Resource not found", {"uri": uri})
    return {"contents": [{"uri": uri, **content}]}


async def watch(_exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    """resources/subscribe and unsubscribe: accepted and not remembered, for nothing here ever changes."""
    if params.get("uri") not in CONTENTS:
        raise ProtocolError(LEGACY_RESOURCE_NOT_FOUND, "Resource not found", {"uri": params.get("uri")})
    return {}
