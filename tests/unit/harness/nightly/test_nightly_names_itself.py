import pytest
from pydantic import ValidationError

from harness.nightly import NightlyTable


def test_nightly_is_none_of_its_own_jobs() -> None:
    job = {"name": "again", "command": ["nightly"], "budget_seconds": 60}
    with pytest.raises(ValidationError, match="one of its own jobs"):
        NightlyTable.model_validate({"jobs": [job]})
