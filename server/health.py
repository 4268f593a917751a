"""What the four health endpoints say: each check asks the part itself, readiness once a second at most."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import psutil
from sqlalchemy.exc import DBAPIError

from server import __version__
from server.cache import Cache
from server.settings import Settings
from server.snapshots import Snapshots
from server.storage.database import Database
from server.storage.disk import DiskReserve
from server.storage.tables import HEAD
from server.tenancy.stores import Stores

SERVICE: Final = "quartermaster"
CHECK_SECONDS: Final = 2.0
DISK_WARNING_PERCENT: Final = 80
DISK_CRITICAL_PERCENT: Final = 90


@dataclass(frozen=True)
class Health:
    """Answers for one server process. `draining` is asked at each readiness check."""

    settings: Settings
    database: Database
    cache: Cache
    stores: Stores
    disk: DiskReserve
    started: float
    draining: Callable[[], bool]

    def basic(self) -> dict[str, Any]:
        """That the service is there, and which."""
        return {"status": "ok", "service": SERVICE, "version": __version__, "uptime_seconds": self._uptime()}

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether to send traffic here, and the checks that say so."""
        checks = {**await self._probed.get(None), "cache": self._cache(), "disk": self._reserve()}
        if self.draining():
            checks["draining"] = "the server is stopping"
        ready = all(result == "ok" or result.startswith("degraded") for result in checks.values())
        return ready, {"status": "ready" if ready else "not_ready", "checks": checks}

    async def detailed(self) -> dict[str, Any]:
        """Everything an operator asks first, secrets hidden."""
        started = time.perf_counter()
        database = await self._database()
        latency = (time.perf_counter() - started) * 1000
        disk, memory = self._disk(), psutil.virtual_memory()
        migrations = await self._migrations()
        keys = await self._keys()
        parts = (database, migrations, keys, self._cache(), self._reserve(), disk["status"])
        statuses = {part.partition(":")[0] for part in parts} | ({"degraded"} if self.draining() else set())
        status = (
            "unhealthy" if statuses - {"ok", "warning", "degraded"} else "degraded" if statuses - {"ok"} else "healthy"
        )
        return {
            "status": status,
            "version": __version__,
            "uptime_seconds": self._uptime(),
            "checks": {
                "database": {
                    "status": database,
                    "latency_ms": round(latency, 2),
                    "migrations": migrations,
                },
                "cache": {"status": self._cache()},
                "keys": {"status": keys},
                "disk": disk,
                "memory": {
                    "process_resident_bytes": psutil.Process().memory_info().rss,
                    "system_used_percent": memory.percent,
                    "system_available_bytes": memory.available,
                },
            },
            "configuration": self.settings.public(),
        }

    @cached_property
    def _probed(self) -> Snapshots[None, dict[str, str]]:
        """What takes SQLite's lock and its connections: anybody may ask for readiness, and as often as they like."""
        return Snapshots(self._probe)

    async def _probe(self, _key: None) -> dict[str, str]:
        database, migrations, keys = await asyncio.gather(self._database(), self._migrations(), self._keys())
        return {"database": database, "migrations": migrations, "keys": keys}

    def _uptime(self) -> float:
        return round(time.monotonic() - self.started, 1)

    async def _database(self) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self.database.ping()
        except TimeoutError:
            return f"does not answer within {CHECK_SECONDS:g} s"
        except DBAPIError as error:
            return f"fails: {error.orig}"
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not ready
            return f"fails: {type(error).__name__}"
        refusal = self.database.refusal()
        return "ok" if refusal is None else f"degraded: writes are refused: {refusal}"

    async def _migrations(self) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                revision = await self.database.revision()
        except Exception as error:  # noqa: BLE001 - as above
            return f"unknown: {type(error).__name__}"
        if revision == HEAD:
            return "ok"
        return f"at {revision or 'none'}, this release needs {HEAD}; run: python -m server migrate"

    async def _keys(self) -> str:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                fits = await self.stores.master_keys_fit()
        except Exception as error:  # noqa: BLE001 - as above
            return f"unknown: {type(error).__name__}"
        return "ok" if fits else "MASTER_KEY is not the one that sealed this database"

    def _cache(self) -> str:
        return "ok" if self.cache.probe() else "degraded"

    def _reserve(self) -> str:
        """Reads go on without a reserve, so the server stays in rotation and says what it refuses."""
        if not self.disk.is_used_up():
            return "ok"
        return f"degraded: writes are refused, {self.disk.free_bytes() // 2**20} MiB are free"

    def _disk(self) -> dict[str, Any]:
        folder = next(folder for folder in self.database.path.parents if folder.is_dir())
        usage = shutil.disk_usage(folder)
        percent = round(100 * (usage.total - usage.free) / usage.total, 1)
        status = (
            "critical" if percent >= DISK_CRITICAL_PERCENT else "warning" if percent >= DISK_WARNING_PERCENT else "ok"
        )
        return {
            "status": status,
            "used_percent": percent,
            "free_bytes": usage.free,
            "reserve_bytes": self.disk.reserve_bytes,
            "writes": "refused" if self.disk.is_used_up() else "ok",
        }
