"""Locks that hold across processes on one database: taken with the intent of a write, dropped with its outcome.

A rolling restart, stdio beside HTTP and an operator's commands have several processes write at once. Within one, the
locks of `server.locks` queue the writers; here nobody queues, whoever finds a lease waits and asks again.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from server.clock import now_milliseconds
from server.storage.tables import write_leases

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

# Past its deadline a call is over; the margin covers the commit of its outcome.
STALE_MARGIN_SECONDS: Final = 15.0
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class LeasedError(Exception):
    """Another process is writing one of the same things."""


class RepeatedError(LeasedError):
    """Another process has the same request, as the write of this id."""

    def __init__(self, write_id: str) -> None:
        super().__init__(write_id)
        self.write_id = write_id


@dataclass(frozen=True, slots=True)
class Process:
    """A process as others tell it apart, though its id may be given to another one later.

    Where the system does not say when it `started`, that is empty, and it is never known to have ended.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> Process:
        """The running one."""
        return cls(socket.gethostname()[:64], os.getpid(), _started(os.getpid()) or "")

    def has_ended(self, text: str) -> bool:
        """Whether the process that `text` (of `str`) names ran on this host and runs no more."""
        host, _, rest = text.partition(" ")
        pid, _, started = rest.partition(" ")
        return host == self.host and pid.isdigit() and bool(started) and _started(int(pid)) != started

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.started}"


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one process. One that is older than `stale_milliseconds` belongs to no call that still runs."""

    process: Process
    stale_milliseconds: int

    @classmethod
    def of_this_process(cls, deadline_seconds: float) -> Leases:
        """The running process's, whose calls end after `deadline_seconds`."""
        return cls(Process.this(), round((deadline_seconds + STALE_MARGIN_SECONDS) * 1000))

    def is_over(self, began_at: int, process: str | None) -> bool:
        """Whether no call runs any more that began then (milliseconds since the epoch), in that process if known."""
        stale = began_at <= now_milliseconds() - self.stale_milliseconds
        return stale or (process is not None and self.process.has_ended(process))

    def is_elsewhere(self, began_at: int, process: str | None) -> bool:
        """Whether a call that began then may still run in another process."""
        return process is not None and process != str(self.process) and not self.is_over(began_at, process)

    async def take(self, connection: AsyncConnection, names: Sequence[str], write_id: str) -> None:
        """Take all of `names` in the caller's transaction. Raises LeasedError where another process has one."""
        now = now_milliseconds()
        for row in (await connection.execute(select(write_leases).where(write_leases.c.name.in_(names)))).all():
            # Ours is left by a write whose outcome could not be kept: the lock of this process is held by the caller.
            if self.is_elsewhere(row.taken_at, row.process):
                raise LeasedError
        await connection.execute(delete(write_leases).where(write_leases.c.name.in_(names)))
        for name in names:
            await connection.execute(
                insert(write_leases).values(name=name, write_id=write_id, process=str(self.process), taken_at=now)
            )


async def drop(connection: AsyncConnection, write_id: str) -> None:
    """Drop the leases of a write, in the transaction that commits its outcome."""
    await connection.execute(delete(write_leases).where(write_leases.c.write_id == write_id))


def names_of(locks: Sequence[Hashable]) -> tuple[str, ...]:
    """What leases of these locks are called: nothing of a store's account can be read from it."""
    return tuple(sorted({hashlib.sha256(str(lock).encode()).hexdigest() for lock in locks}))


def _started(pid: int) -> str | None:
    """When a process began: clock ticks since the boot, and which boot that was; None where nobody can tell.

    Not the time of day, which psutil reckons from a clock that may be set meanwhile: a server would look ended.
    """
    try:
        # proc(5): the name, in parentheses, may hold anything; the 22nd field is the 20th after it.
        ticks = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{ticks}@{BOOT.read_text(encoding='ascii').strip()}"
    except (OSError, IndexError):
        return None
