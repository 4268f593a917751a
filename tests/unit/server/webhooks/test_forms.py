import time
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.forms import form_field
from tests.unit.server.parts import seeded

URLENCODED = "application/x-www-form-urlencoded"


def multipart(**fields: bytes) -> tuple[str, bytes]:
    """A form as a client of the field sends it: its content type and body."""
    request = httpx.Request("POST", "http://x/", files=[(name, (None, value)) for name, value in fields.items()])
    return request.headers["content-type"], request.read()


@seeded
@given(value=st.binary(max_size=200), other=st.binary(max_size=20))
def test_a_field_is_read_back_byte_by_byte_from_either_kind_of_form(value: bytes, other: bytes) -> None:
    body = urlencode({"store": other, "order": value}).encode()
    assert form_field(f"{URLENCODED}; charset=UTF-8", body, "order") == value
    assert form_field(*multipart(store=other, order=value), name="order") == value


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="order"',
        "content-disposition: form-data; name=order",
        'Content-Type: application/json\r\nContent-Disposition: form-data; name="order"',
        'Content-Disposition: form-data; name="order"\r\nContent-Length: 2',
        'Content-Disposition: form-data; name="order"; filename="order.json"',
    ],
)
def test_the_head_of_a_part_may_say_it_in_several_ways(head: str) -> None:
    body = f"--B\r\n{head}\r\n\r\n{{}}\r\n--B--\r\n".encode()
    assert form_field('multipart/form-data; boundary="B"', body, "order") == b"{}"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URLENCODED, b""),
        (URLENCODED, b"reorder=1&order_id=2"),
        (URLENCODED, b"order"),
        ("application/json", b'{"order": 1}'),
        ("", b"order=1"),
        ("multipart/form-data", b"--B\r\n"),
        ("multipart/form-data; boundary=", b"order=1"),
        ("multipart/form-data; boundary=\xfc", b"order=1"),
        ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="order"\r\n\r\ncut off'),
        ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="reorder"\r\n\r\n1\r\n--B--'),
        ("multipart/form-data; boundary=B", b'--B\r\nX-Other: ; name="order"\r\n\r\n1\r\n--B--'),
    ],
)
def test_what_has_no_such_field_has_none(content_type: str, body: bytes) -> None:
    assert form_field(content_type, body, "order") is None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URLENCODED, b"a&" * 500_000),
        (URLENCODED, b"order=" + b"%41" * 330_000),
        (URLENCODED, b"order=" * 170_000),
        ("multipart/form-data; boundary=B", b"\r\n--B" * 200_000),
        ("multipart/form-data; boundary=B", b"--B\r\n" + b"a:\r\n" * 250_000),
        ("multipart/form-data; boundary=B", b"--B\r\nContent-Disposition: " + b'; name="a' * 100_000),
        ("multipart/form-data;" + "a=b;" * 15_000, b""),
    ],
    ids=["fields", "escapes", "names", "parts", "heads", "one head", "options"],
)
def test_a_form_made_to_be_slow_takes_no_longer_than_its_length_explains(content_type: str, body: bytes) -> None:
    def seconds(share: int) -> float:
        runs = []
        for _ in range(3):
            began = time.process_time()
            form_field(content_type, body[: len(body) // share], "order")
            runs.append(time.process_time() - began)
        return min(runs)

    # Eight times the bytes: eight times the time where it is linear, 64 times where it is quadratic.
    assert seconds(1) < 24 * max(seconds(8), 0.002)
