"""The `[profile]` table of ops.toml: what is profiled, and what is too much for a statement or a request."""

from typing import Annotated

from pydantic import Field

from harness.config import Table
from perf.caching.model import CacheTable
from perf.profiling.model import SamplingTable, ToolsTable

Count = Annotated[int, Field(ge=1)]


class QueriesTable(Table):
    """`[profile.queries]`: the size of the database, and the limits that statements are judged by."""

    tenants: Count = 500
    stores: Count = 10_000
    audit_rows: Count = 1_000_000
    writes: Count = 20_000
    large_rows: Count = 1_000
    """A table with so many rows is large: nothing may read the whole of it, or sort as many."""
    repeats: Count = 5
    """How often one request may send the same statement."""


class ProfileTable(Table):
    """`[profile]`: a table for each kind of profile."""

    cache: CacheTable = CacheTable()
    queries: QueriesTable = QueriesTable()
    sampling: SamplingTable = SamplingTable()
    tools: ToolsTable = ToolsTable()
