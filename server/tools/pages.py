"""The pagination object that every list result carries."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Pagination(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = Field(description="Entries on this page")
    limit: int
    offset: int
    page: int
    has_more: bool = Field(description="Whether a further page exists: ask for offset + count")
    total: int | None = Field(description="Entries in all; null where OrderDesk does not say")
