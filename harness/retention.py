"""Keep the report folder from growing for ever."""

import re
import shutil
from pathlib import Path

_RUN = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[a-z][a-z0-9_.-]*-[0-9a-f]{8}")


def remove_old_runs(reports_directory: Path, keep: int) -> list[str]:
    """Remove all runs' folders but the newest `keep`; returns the ids removed. Nothing else there is touched."""
    runs = sorted(path for path in reports_directory.iterdir() if _RUN.fullmatch(path.name) and path.is_dir())
    old = runs[: max(len(runs) - keep, 0)]
    for path in old:
        shutil.rmtree(path)
    return [path.name for path in old]
