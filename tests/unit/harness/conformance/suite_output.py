"""Results as the suite writes them, made by hand."""

import json
from pathlib import Path
from typing import Any

STARTED = "2026-11-23T01-34-52-898Z"


def entry(check_id: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": check_id,
        "name": check_id,
        "description": f"describes {check_id}",
        "status": status,
        "timestamp": "2026-11-23T01:34:52.898Z",
        **more,
    }


def write_result(folder: Path, scenario: str, *entries: dict[str, Any], started: str = STARTED) -> Path:
    path = folder / f"server-{scenario}-{started}" / "checks.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(entries))
    return path
