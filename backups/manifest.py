"""The manifest of a snapshot: what its file must hold, read from that same file before anyone else could touch it."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from backups.database import open_read_only, read_contents
from backups.errors import BackupError, DamageError
from harness.files import digest

MANIFEST_NAME = "manifest.json"
FORMAT: Final = 1

Count = Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """What a snapshot holds. `taken_at` lies before its first read: all that was committed by then is in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    taken_at: AwareDatetime
    server_version: str | None
    revision: Annotated[str, Field(min_length=1)]
    tables: Annotated[dict[str, Count], Field(min_length=1)]
    bytes: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(self.tables.values())


def describe(database: Path, *, taken_at: datetime, server_version: str | None) -> Manifest:
    """The manifest of a database file that nobody writes to.

    Raises DamageError when it has no schema: an empty database is a valid SQLite file, and no backup of anything.
    """
    with open_read_only(database) as connection:
        contents = read_contents(connection)
    if contents.revision is None:
        raise DamageError("the database has no schema: there is nothing to back up")
    return Manifest(
        taken_at=taken_at,
        server_version=server_version,
        revision=contents.revision,
        tables=contents.tables,
        bytes=database.stat().st_size,
        sha256=digest(database),
    )


def dump_manifest(manifest: Manifest) -> bytes:
    """The manifest as UTF-8 JSON, indented, with a newline at its end."""
    return manifest.model_dump_json(indent=2).encode() + b"\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the snapshot in `folder`.

    Raises BackupError when it is missing, unreadable or of a later format, DamageError when it makes no sense.
    """
    try:
        content = (folder / MANIFEST_NAME).read_bytes()
    except OSError as error:
        raise BackupError(f"the manifest of {folder.name} cannot be read: {error.strerror}") from error
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        if (written := _format(content)) > FORMAT:
            raise BackupError(
                f"the manifest of {folder.name} has format {written}, this release reads {FORMAT}: use a newer one"
            ) from None
        first = error.errors(include_url=False)[0]
        place = ".".join(str(each) for each in first["loc"])
        raise DamageError(f"the manifest of {folder.name} is damaged: {place or 'JSON'}: {first['msg']}") from None


def _format(content: bytes) -> int:
    """The format that a manifest says it has; 0 where it does not."""
    try:
        said = json.loads(content)["format"]
    except (ValueError, KeyError, TypeError):
        return 0
    return said if isinstance(said, int) else 0
