"""The operator's way in: tenants and keys, made and ended by JSON lines over a port of its own."""

import asyncio
import contextlib
import json
import secrets
from typing import Any

from tests.vulnerable.keys import Keys
from tests.vulnerable.storage import Database

EXPIRY_SECONDS = 1.0


class Control:
    """Answers one JSON line with another."""

    def __init__(self, keys: Keys, database: Database) -> None:
        self._keys = keys
        self._database = database

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Obey the commands of one connection."""
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(json.dumps(self.obey(**json.loads(line))).encode() + b"\n")
                await writer.drain()
        writer.close()

    def obey(self, command: str, *, tenant: str = "", key: str = "", store: str = "") -> dict[str, Any]:
        """What a command gives. Raises ValueError for one that is none.

        `tenant` makes one, with a stocked store of the name given, if any; `key` and `rotate` give a tenant's new key;
        `revoke` and `expire` end a key, at once and in a second; `suspend` refuses all of a tenant's.
        """
        match command:
            case "tenant":
                tenant = self._keys.new_tenant(store or "A tenant")
                store_id = str(100_000 + secrets.randbelow(900_000)) if store else None
                if store_id is not None:
                    self._database.stock(tenant, store_id, store)
                return {"id": tenant, "key": self._keys.new_key(tenant), "store": store_id}
            case "key":
                return {"key": self._keys.new_key(tenant)}
            case "rotate":
                return {"key": self._keys.rotate(tenant)}
            case "revoke":
                self._keys.revoke(key)
            case "expire":
                self._keys.expire(key, EXPIRY_SECONDS)
            case "suspend":
                self._keys.suspend(tenant)
            case _:
                raise ValueError(f"there is no command {command}")
        return {}
