"""A server made with the official SDK as its documentation shows it."""

import asyncio

import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp_types import ToolAnnotations
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import AnyHttpUrl
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.integration.security.foreign.notes import (
    NOBODY,
    Found,
    Note,
    Notes,
    Summary,
    listen,
    read_options,
)

ADDS = ToolAnnotations(destructive_hint=False, open_world_hint=False)
READS = ToolAnnotations(read_only_hint=True)


class KnownTokens:
    """A token verifier that knows a few tokens."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self._tokens = tokens

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose token it is; None where it is nobody's."""
        owner = self._tokens.get(token)
        return None if owner is None else AccessToken(token=token, client_id=owner, scopes=[])


def caller() -> str:
    """Whose token the request carries."""
    token = get_access_token()
    return NOBODY if token is None else token.client_id


def make_server(notes: Notes, tokens: dict[str, str], port: int) -> MCPServer:
    """The server with its tools; with tokens it asks for one."""
    address = AnyHttpUrl(f"http://127.0.0.1:{port}/mcp")
    settings = AuthSettings(issuer_url=address, resource_server_url=address, validate_token_resource=False)
    server = MCPServer("notes", token_verifier=KnownTokens(tokens), auth=settings) if tokens else MCPServer("notes")

    @server.tool(annotations=READS)
    async def notes_search(text: str = "", title: str = "") -> Found:
        """Find the notes that hold a text."""
        return notes.search(caller(), text, title)

    @server.tool(annotations=READS)
    async def notes_get(note_id: str) -> Note:
        """Read one note."""
        return notes.get(caller(), note_id)

    @server.tool(annotations=ADDS)
    async def notes_add(title: str, text: str) -> Note:
        """Keep a note."""
        return notes.add(caller(), title, text)

    @server.tool(annotations=READS)
    async def notes_summary() -> Summary:
        """How many notes there are."""
        return notes.summarise(caller())

    return server


class Legacy:
    """An application that refuses modern revisions as releases 1 of the SDK do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        version = Headers(scope=scope).get("mcp-protocol-version") if scope["type"] == "http" else None
        if version in MODERN_PROTOCOL_VERSIONS:
            error = {"code": -32600, "message": f"Bad Request: Unsupported protocol version: {version}"}
            message = {"jsonrpc": "2.0", "id": "server-error", "error": error}
            await JSONResponse(message, status_code=400)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def main() -> None:
    """Serve until SIGTERM."""
    options = read_options()
    notes = Notes(options.database, [*options.tokens.values()] or [NOBODY], careless=options.careless)
    listener = listen()
    server = make_server(notes, options.tokens, listener.getsockname()[1])
    app = server.streamable_http_app(stateless_http=options.stateless)
    served = Legacy(app) if options.legacy else app
    asyncio.run(uvicorn.Server(uvicorn.Config(served, log_level="warning")).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
