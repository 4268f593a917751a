"""A server made with FastMCP as its documentation shows it; run by the interpreter of the peers' environment."""

import asyncio

from fastmcp import FastMCP  # type: ignore[import-not-found, unused-ignore] # not in the project's environment
from fastmcp.server.auth.providers.jwt import (  # type: ignore[import-not-found, unused-ignore] # as above
    StaticTokenVerifier,
)
from fastmcp.server.dependencies import (  # type: ignore[import-not-found, unused-ignore] # as above
    get_access_token,
)

from tests.integration.security.foreign.notes import (
    NOBODY,
    Found,
    Note,
    Notes,
    Summary,
    listen,
    read_options,
)


def caller() -> str:
    """Whose token the request carries."""
    token = get_access_token()
    return NOBODY if token is None else str(token.client_id)


def main() -> None:
    """Serve until SIGTERM."""
    options = read_options()
    notes = Notes(options.database, [*options.tokens.values()] or [NOBODY], careless=options.careless)
    known = {token: {"client_id": owner, "scopes": []} for token, owner in options.tokens.items()}
    server = FastMCP("notes", auth=StaticTokenVerifier(known) if known else None)

    async def notes_search(text: str = "", title: str = "") -> Found:
        """Find the notes that hold a text."""
        return notes.search(caller(), text, title)

    async def notes_get(note_id: str) -> Note:
        """Read one note."""
        return notes.get(caller(), note_id)

    async def notes_add(title: str, text: str) -> Note:
        """Keep a note."""
        return notes.add(caller(), title, text)

    async def notes_summary() -> Summary:
        """How many notes there are."""
        return notes.summarise(caller())

    for reading in (notes_search, notes_get, notes_summary):
        server.tool(reading, annotations={"readOnlyHint": True})
    server.tool(notes_add, annotations={"destructiveHint": False, "openWorldHint": False})
    asyncio.run(server.run_http_async(sockets=[listen()], stateless_http=options.stateless, show_banner=False))


if __name__ == "__main__":
    main()
