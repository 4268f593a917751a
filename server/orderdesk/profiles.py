"""A store as OrderDesk describes it: settings and folders through the cache, secrets removed before they get there."""

from __future__ import annotations

import difflib
import time
from typing import TYPE_CHECKING, Any

import orjson

from server.cache import Cache, Key
from server.clock import Monotonic
from server.errors import ArgumentsError, UpstreamUnavailableError
from server.orderdesk.gateway import Gateway
from server.orderdesk.messages import impersonal
from server.orderdesk.redaction import without_secrets

if TYPE_CHECKING:
    from server.tenancy.stores import Store
    from server.tools.call import Call


class Profiles:
    """The descriptions of any store."""

    def __init__(self, gateway: Gateway, cache: Cache, *, ttl: float, clock: Monotonic = time.monotonic) -> None:
        self._gateway = gateway
        self._cache = cache
        self._ttl = ttl
        self._clock = clock

    async def test(self, call: Call, store: Store) -> dict[str, Any]:
        """OrderDesk's answer to a connection test, past the cache, and the milliseconds until it was here."""
        started = self._clock()
        body = await self._gateway.get(call, store, "/test")
        return {
            "status": "success",
            "message": impersonal(body.get("message")),
            "store_id": store.store_id,
            "current_date_time": body.get("current_date_time"),
            "latency_ms": round((self._clock() - started) * 1000, 1),
        }

    async def settings(self, call: Call, store: Store) -> dict[str, Any]:
        """What OrderDesk says of the store, without its folders and without secrets."""
        profile, cached = await self._profile(call, store)
        shown = {name: value for name, value in profile.items() if name != "folders"}
        return {"status": "success", "store": shown, "cached": cached}

    async def folders(self, call: Call, store: Store) -> dict[str, Any]:
        """The store's folders, in OrderDesk's order."""
        profile, cached = await self._profile(call, store)
        folders = [{"id": folder_id, "name": name} for folder_id, name in _folders(profile).items()]
        return {"status": "success", "folders": folders, "count": len(folders), "cached": cached}

    async def folder_id(
        self, call: Call, store: Store, folder_id: str | None, name: str | None, *, prefix: str = ""
    ) -> str:
        """The id of the folder that is meant by id or by name (case aside).

        Raises ArgumentsError that calls the argument `prefix` folder_id or folder_name.
        """
        profile, cached = await self._profile(call, store)
        folders = _folders(profile)
        found = _matching(folders, folder_id, name)
        if not found and cached:  # it may be new
            self._cache.invalidate(store.upstream, "store")
            folders = _folders((await self._profile(call, store))[0])
            found = _matching(folders, folder_id, name)
        if len(found) == 1:
            return found[0]
        argument = prefix + ("folder_id" if name is None else "folder_name")
        if found:
            why = f"is the name of several folders ({', '.join(found)}); name one by its id"
        else:
            near = difflib.get_close_matches((name or "")[:100], folders.values(), n=1)
            why = "is no folder of this store" + (f"; did you mean {near[0]!r}?" if near else "; see stores_folders")
        raise ArgumentsError(f"{argument} {why}", invalid_fields={argument: why})

    async def _profile(self, call: Call, store: Store) -> tuple[dict[str, Any], bool]:
        async def fetch() -> bytes:
            found = (await self._gateway.get(call, store, "/store")).get("store")
            if not isinstance(found, dict):
                raise UpstreamUnavailableError("OrderDesk answered without a store.", reason="unexpected_body")
            folders = {"folders": found.get("folders")}
            return orjson.dumps(without_secrets(found) | folders)

        encoded, cached = await self._cache.get(
            Key.of(store, "store", "profile"), self._ttl, fetch, deadline=call.deadline
        )
        profile: dict[str, Any] = orjson.loads(encoded)
        return profile, cached


def _folders(profile: dict[str, Any]) -> dict[str, str]:
    """Names by id; none where OrderDesk shows an empty map as a list."""
    folders = profile.get("folders")
    return {str(number): str(name) for number, name in folders.items()} if isinstance(folders, dict) else {}


def _matching(folders: dict[str, str], folder_id: str | None, name: str | None) -> list[str]:
    if name is None:
        return [number for number in folders if number == folder_id]
    exact = [number for number, known in folders.items() if known == name]
    wanted = name.strip().casefold()
    return exact or [number for number, known in folders.items() if known.strip().casefold() == wanted]
