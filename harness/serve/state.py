"""What `./inv serve` remembers between starts: the keys that make yesterday's database usable today."""

import hashlib
import os
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError


class State(BaseModel):
    """The server's master key and admin token, and the key of the tenant that was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    master_key: str = Field(repr=False)
    admin_token: str = Field(repr=False)
    tenant_key: str | None = Field(default=None, repr=False)


def state_path(folder: Path, database: str | None) -> Path:
    """Return the file that belongs to a database: each has tenants of its own."""
    suffix = f"-{hashlib.sha256(database.encode()).hexdigest()[:8]}" if database else ""
    return folder / f"serve{suffix}.json"


def load_state(path: Path) -> State:
    """Return the remembered state, or a new one, saved before anything is encrypted under its master key.

    Raises UsageError when the file is there but damaged: a new master key could not open the stores in the database.
    """
    try:
        return State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        state = State(master_key=secrets.token_urlsafe(32), admin_token=secrets.token_urlsafe(32))
        save_state(path, state)
        return state
    except ValidationError:
        raise UsageError(f"{path} is damaged; put it back, or remove {path.parent} to start anew") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def save_state(path: Path, state: State) -> None:
    """Put the state in place whole, readable by its owner alone. Raises UsageError when the folder is not writable."""
    partial = path.with_suffix(".partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(state.model_dump_json(indent=2).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
