"""One authenticated API request as handlers see it, and the bodies they answer with."""

from dataclasses import dataclass
from typing import Any

import orjson

from harness.sandbox.errors import RefusedError
from harness.sandbox.fields import Record
from harness.sandbox.store import Store

# The time it says is fixed, so that the same seed and the same calls give the same bytes.
TOOK = "Execution took 0.0100 seconds"


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler works on: the store, the ids in the path, the query string, the raw body, and the date now."""

    store: Store
    ids: tuple[str, ...]
    query: str
    raw_body: bytes
    now: str

    def body(self) -> Record:
        """The body as a JSON object. Raises RefusedError for anything else."""
        parsed = self._parsed()
        if not isinstance(parsed, dict):
            raise RefusedError("A JSON object is required")
        return parsed

    def body_list(self) -> list[Record]:
        """The body as a JSON array of objects. Raises RefusedError for anything else."""
        parsed = self._parsed()
        if not isinstance(parsed, list) or not all(isinstance(entry, dict) for entry in parsed):
            raise RefusedError("A JSON array of objects is required")
        return parsed

    def _parsed(self) -> Any:
        try:
            return orjson.loads(self.raw_body)
        except orjson.JSONDecodeError:
            raise RefusedError("The body is not valid JSON", 400) from None


def success(message: str = TOOK, **fields: Any) -> bytes:
    """A successful answer as JSON."""
    return orjson.dumps({"status": "success", "message": message, **fields})


def failure(message: str) -> bytes:
    """An error as JSON; OrderDesk sends it with whatever status, 200 included."""
    return orjson.dumps({"status": "error", "message": message})


def fragments(bodies: list[bytes]) -> list[orjson.Fragment]:
    """JSON texts, to be put into a larger JSON text as they are."""
    return [orjson.Fragment(body) for body in bodies]
