"""The server without its locks: the proof that tests of concurrent writes could fail."""

import sys
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from server.cli import main
from server.locks import KeyedLocks


@asynccontextmanager
async def hold(_self: KeyedLocks, _key: Hashable, _patience: float) -> AsyncIterator[None]:
    yield


KeyedLocks.hold = hold  # type: ignore[method-assign, assignment]

if __name__ == "__main__":
    sys.exit(main())
