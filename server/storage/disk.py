"""The disk's reserve: below it writes are refused before OrderDesk is asked, while reads go on."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.clock import Monotonic
from server.errors import StorageUnavailableError

MAX_AGE_SECONDS: Final = 1.0


@dataclass(slots=True)
class DiskReserve:
    """Free bytes of the disk that holds `path`, asked once a second at most."""

    path: Path
    reserve_bytes: int
    clock: Monotonic = time.monotonic
    _free: int = 0
    _asked: float = float("-inf")

    def free_bytes(self) -> int:
        """Bytes that are free now."""
        now = self.clock()
        if now - self._asked >= MAX_AGE_SECONDS:
            folder = next(folder for folder in self.path.parents if folder.is_dir())
            self._free, self._asked = shutil.disk_usage(folder).free, now
        return self._free

    def is_used_up(self) -> bool:
        """Whether no more than the reserve is free: without a reserve, whether the disk is full."""
        return self.free_bytes() <= self.reserve_bytes

    def refuse_when_full(self) -> None:
        """Raise StorageUnavailableError when the reserve is used up."""
        if self.is_used_up():
            raise StorageUnavailableError("The server's disk is full; nothing was changed. Reads go on.", reason="disk")
