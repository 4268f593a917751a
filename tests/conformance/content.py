"""Content blocks that the fixture's tools, prompts and resources are made of."""

import base64
import struct
import zlib
from typing import Any, Final

JsonObject = dict[str, Any]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _red_pixel() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00\xff\x00\x00")
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def _silence() -> bytes:
    samples = b"\x80" * 8
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + layout + struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI", b"RIFF", len(body)) + body


PNG: Final = base64.b64encode(_red_pixel()).decode()
WAV: Final = base64.b64encode(_silence()).decode()
IMAGE: Final[JsonObject] = {"type": "image", "data": PNG, "mimeType": "image/png"}
AUDIO: Final[JsonObject] = {"type": "audio", "data": WAV, "mimeType": "audio/wav"}


def text(words: str) -> JsonObject:
    """A text block."""
    return {"type": "text", "text": words}


def embedded(uri: str, mime_type: str, words: str) -> JsonObject:
    """A block that embeds a text resource."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": words}}


def tool_result(*blocks: JsonObject, is_error: bool = False) -> JsonObject:
    """The result of tools/call."""
    return {"content": list(blocks), "isError": is_error}


def message(block: JsonObject) -> JsonObject:
    """A prompt's message from the user."""
    return {"role": "user", "content": block}


def object_schema(*required: str, **properties: JsonObject) -> JsonObject:
    """A JSON schema of an object; the properties named first are required."""
    schema: JsonObject = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema
