"""One field out of a posted form, as the bytes that were sent: a signature is made over bytes, not over text.

Nothing else in the form is decoded. General parsers build every field and header, and take up to half a second for a
megabyte that was made to be slow; here each step is one search through the body.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from werkzeug.http import parse_options_header

CONTENT_TYPE_LENGTH: Final = 256
PARTS: Final = 20
PART_HEAD_BYTES: Final = 1024


def form_field(content_type: str, body: bytes, name: str) -> bytes | None:
    """The first value of the field `name` in a form, URL-encoded or multipart (RFC 7578); None where there is none."""
    kind, options = parse_options_header(content_type[:CONTENT_TYPE_LENGTH])
    if kind == "application/x-www-form-urlencoded":
        found = re.search(rb"(?:^|&)" + re.escape(name.encode()) + rb"=([^&]*)", body)
        return unquote_to_bytes(found[1].replace(b"+", b" ")) if found else None
    boundary = options.get("boundary", "")
    if kind == "multipart/form-data" and boundary and boundary.isascii():
        return _part(b"\r\n--" + boundary.encode(), b"\r\n" + body, name)
    return None


def _part(delimiter: bytes, body: bytes, name: str) -> bytes | None:
    """The value of a part. What precedes the first delimiter and what follows the last belongs to no part."""
    named = re.compile(
        rb'^content-disposition:[^\r\n]*[; ]name="?' + re.escape(name.encode()) + rb'"?\s*(?:;|$)', FLAGS
    )
    for part in body.split(delimiter, PARTS)[1:-1]:
        head, blank, value = part.partition(b"\r\n\r\n")
        if blank and len(head) <= PART_HEAD_BYTES and named.search(head):
            return value
    return None


FLAGS: Final = re.IGNORECASE | re.MULTILINE
