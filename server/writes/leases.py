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
PROCESSES: Final = Path("/proc")
BOOT: Final = PROCESSES / "sys" / "kernel" / "random" / "boot_id"
BOOT_LENGTH: Final = 12
HOST_LENGTH: Final = 64
DEAD: Final = frozenset("ZXx")


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

    `place` is where its id means something: a boot of a machine and a namespace of ids. It is empty, like `started`,
    where the system does not say.
    """

    host: str
    place: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> Process:
        """The running one."""
        return cls(socket.gethostname()[:HOST_LENGTH], _place(), os.getpid(), _look(os.getpid()) or "")

    def has_ended(self, text: str) -> bool:
        """Whether the process that `text` (of `str`) names is known to run no more; False where nobody can tell."""
        host, place, pid, started, *_ = (*text.split(" "), "", "", "")
        if not (place and started and (host, place) == (self.host, self.place) and pid.isdigit()):
            return False
        return _look(int(pid)) not in ("", started)

    def __str__(self) -> str:
        return f"{self.host} {self.place} {self.pid} {self.started}"


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of one process. One that is older than `stale_milliseconds` belongs to no call that still runs."""

    process: Process
    stale_milliseconds: int

    @classmethod
    def of_this_process(cls, deadline_seconds: float) -> Leases:
        """The running process's, whose calls end after `deadline_seconds`."""
        return cls(Process.this(), round((deadline_seconds + STALE_MARGIN_SECONDS) * 1000))

    def over_before(self) -> int:
        """When a call began, at the latest, of which nothing can reach OrderDesk any more (milliseconds, the epoch's).

        Its age alone tells: a process that was killed may have sent a request that is still on its way.
        """
        return now_milliseconds() - self.stale_milliseconds

    def is_over(self, began_at: int) -> bool:
        """Whether nothing of a call that began then can reach OrderDesk any more."""
        return began_at <= self.over_before()

    def is_elsewhere(self, began_at: int, process: str | None) -> bool:
        """Whether another process, as far as can be told, is at work on a call that began then."""
        if process is None or process == str(self.process) or self.is_over(began_at):
            return False
        return not self.process.has_ended(process)

    async def are_free(self, connection: AsyncConnection, names: Sequence[str]) -> bool:
        """Whether no other process has any of `names`."""
        # Ours is left by a write whose outcome could not be kept: the lock of this process is held by the caller.
        rows = await connection.execute(select(write_leases).where(write_leases.c.name.in_(names)))
        return all(row.process == str(self.process) or self.is_over(row.taken_at) for row in rows)

    async def take(self, connection: AsyncConnection, names: Sequence[str], write_id: str) -> None:
        """Take all of `names` in the caller's transaction. Raises LeasedError where another process has one."""
        now = now_milliseconds()
        if not await self.are_free(connection, names):
            raise LeasedError
        await connection.execute(delete(write_leases).where(write_leases.c.name.in_(names)))
        lease = {"write_id": write_id, "process": str(self.process), "taken_at": now}
        if names:
            await connection.execute(insert(write_leases), [{"name": name, **lease} for name in names])


async def drop(connection: AsyncConnection, write_id: str) -> None:
    """Drop the leases of a write, in the transaction that commits its outcome."""
    await connection.execute(delete(write_leases).where(write_leases.c.write_id == write_id))


def names_of(locks: Sequence[Hashable]) -> tuple[str, ...]:
    """What leases of these locks are called: nothing of a store's account can be read from it."""
    return tuple(sorted({hashlib.sha256(str(lock).encode()).hexdigest() for lock in locks}))


def _place() -> str:
    try:
        boot = BOOT.read_text(encoding="ascii").strip().replace("-", "")[:BOOT_LENGTH]
        return f"{boot}/{(PROCESSES / 'self' / 'ns' / 'pid').stat().st_ino}"
    except OSError:
        return ""


def _look(pid: int) -> str | None:
    """When a process began, in clock ticks since the boot; None where it ended, empty where nobody can tell.

    Not the time of day, which psutil reckons from a clock that may be set meanwhile: a server would look ended.
    """
    try:
        text = (PROCESSES / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        # Mounted with hidepid, it shows none of other users' processes, the first one neither.
        return None if (PROCESSES / "1").exists() else ""
    except OSError:
        return ""
    # proc(5): the name, in parentheses, may hold anything; the state is the first field after it, this the 20th.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in DEAD else fields[19]
