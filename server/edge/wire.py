"""uvicorn's HTTP protocol with the limit that it lacks: a head that never ends must not fill the memory."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 64 * 1024
REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/json\r\nconnection: close\r\ncontent-length: 92\r\n\r\n"
    b'{"error":{"code":"HEAD_TOO_LARGE","message":"The request head is larger than 65536 bytes"}}\n'
)


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection that goes on for HEAD_BYTES after a head has begun without completing it."""

    _head_bytes = 0
    _in_head = False

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; count it where it was nothing but the middle of a head."""
        was_in_head = self._in_head
        super().data_received(data)
        if not (was_in_head and self._in_head):
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(REFUSAL)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        super().on_headers_complete()
