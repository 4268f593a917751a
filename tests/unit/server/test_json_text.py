import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.json_text import says_twice
from server.protocol.messages import ProtocolError, decode
from tests.unit.server.parts import seeded

TEXTS = st.text(st.sampled_from('{}":,\\ aü\n'), max_size=6)
# Larger numbers are read as fractions before anything is asked.
INTEGERS = st.integers(-(2**63), 2**64 - 1)
DOCUMENTS = st.recursive(
    st.none() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)


@seeded
@given(document=DOCUMENTS)
def test_no_document_that_says_everything_once_is_taken_for_one_that_does_not(document: Any) -> None:
    for ascii_only in (True, False):
        assert not says_twice(json.dumps(document, ensure_ascii=ascii_only).encode(), document)


@seeded
@given(document=st.dictionaries(TEXTS, DOCUMENTS, min_size=1), depth=st.integers(0, 3))
def test_a_member_that_is_there_twice_is_seen_wherever_it_is(document: dict[str, Any], depth: int) -> None:
    name = next(iter(document))
    twice = json.dumps(document)[:-1] + f", {json.dumps(name)}: null}}"
    text = '[1, {"a": ' * depth + twice + "}]" * depth
    assert says_twice(text.encode(), json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":2}',
        '{"x":[{"b":1},{"b":{"c":":","c":2}}]}',
        '{"method":"x","id":1,"method":"y"}',
    ],
)
def test_a_message_that_says_something_twice_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="twice"):
        decode(text.encode())
