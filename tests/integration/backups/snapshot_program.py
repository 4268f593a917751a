"""Take snapshots of a database one after the other until killed, for the tests beside it."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from backups.snapshot import take_snapshot

if __name__ == "__main__":
    database, destination = Path(sys.argv[1]), Path(sys.argv[2])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        take_snapshot(database, destination, server_version=None, now=lambda: datetime.now(UTC))
