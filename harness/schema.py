"""The run record's JSON schema, for readers that are not Python; kept beside this file as record.schema.json."""

import json
from pathlib import Path

from harness.record import RunRecord

SCHEMA_PATH = Path(__file__).with_name("record.schema.json")


def make_schema() -> str:
    """The schema of what `dump_record` writes: every field is there, no other is allowed."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | RunRecord.model_json_schema(mode="serialization"), indent=2) + "\n"
