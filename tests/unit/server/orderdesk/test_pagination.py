from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.orderdesk.listing import pagination
from tests.unit.server.parts import seeded


@seeded
@given(total=st.integers(0, 500), limit=st.integers(1, 100))
def test_following_has_more_visits_every_entry_once(total: int, limit: int) -> None:
    offset = seen = pages = 0
    while True:
        count = min(limit, total - offset)
        page = pagination(count=count, limit=limit, offset=offset, total=str(total))
        pages += 1
        assert page["page"] == pages
        assert page["total"] == total
        seen += count
        if not page["has_more"]:
            break
        offset += count
    assert seen == total


@pytest.mark.parametrize(("total", "known"), [("120", 120), (120, 120), (None, None), ("", None), ("many", None)])
def test_a_total_may_be_a_number_a_text_or_missing(total: object, known: int | None) -> None:
    assert pagination(count=50, limit=50, offset=0, total=total)["total"] == known


def test_without_a_total_a_full_page_suggests_another() -> None:
    assert pagination(count=50, limit=50, offset=0, total=None)["has_more"] is True
    assert pagination(count=49, limit=50, offset=0, total=None)["has_more"] is False


@seeded
@given(
    total=st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["²", "٣", "-1"]) | st.lists(st.none())
)
def test_whatever_orderdesk_gives_for_a_total_is_a_number_or_null(total: Any) -> None:
    known = pagination(count=1, limit=1, offset=0, total=total)["total"]
    assert known is None or known >= 0
