"""One POST and its answer: JSON or an event stream, bounded in time, with every failure in one line."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from harness.client.errors import ClientError, HttpStatusError, NoAnswerError, ProtocolError
from harness.connections import LIMITS, certificates

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True)
class HttpAnswer:
    """A whole HTTP response; `seconds` from sending to the last byte that was waited for."""

    status: int
    headers: httpx.Headers
    body: bytes
    seconds: float


class Transport:
    """Posts to one URL over kept-alive connections. Safe to share between threads, as httpx's client is."""

    def __init__(self, url: str, token: str | None, timeout_seconds: float) -> None:
        self.url = url
        self._timeout_seconds = timeout_seconds
        headers = {"Accept": f"application/json, {EVENT_STREAM}", "Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        # trust_env would let a proxy variable or .netrc of the machine decide what is measured; a redirect would
        # take the token elsewhere.
        self._http = httpx.Client(
            headers=headers,
            timeout=timeout_seconds,
            trust_env=False,
            follow_redirects=False,
            limits=LIMITS,
            verify=certificates(),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        content: bytes,
        headers: Mapping[str, str | None],
        *,
        awaited_id: int | None = None,
        method: str = "POST",
    ) -> HttpAnswer:
        """Return the response. Headers given here replace the usual ones; None leaves one out.

        An event stream is read until the answer to `awaited_id` has come (then the body is that message alone), or
        to its end. Raises NoAnswerError when there is no response, or none in time.
        """
        started = time.perf_counter()
        with self._one_line_failures():
            request = self._http.build_request(method, self.url, content=content)
            for name, value in headers.items():
                request.headers.pop(name, None)
                if value is not None:
                    request.headers[name] = value
            response = self._http.send(request, stream=True)
            with contextlib.closing(response):
                if awaited_id is not None and _media_type(response.headers) == EVENT_STREAM:
                    body = self._awaited_message(response, awaited_id, started)
                else:
                    body = b"".join(self._chunks(response, started))
        return HttpAnswer(response.status_code, response.headers, body, time.perf_counter() - started)

    @contextlib.contextmanager
    def _one_line_failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise NoAnswerError(f"{self.url}: no answer within {self._timeout_seconds:g} s") from None
        except httpx.LocalProtocolError:  # its text repeats the header, so the token
            raise NoAnswerError(f"{self.url}: the request cannot be sent as HTTP (a header's value?)") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise NoAnswerError(f"{self.url}: {str(error) or type(error).__name__}") from error

    def _chunks(self, response: httpx.Response, started: float) -> Iterator[bytes]:
        for chunk in response.iter_bytes():
            yield chunk
            # httpx's time-out is per read: a stream that pings would never end.
            if time.perf_counter() - started > self._timeout_seconds:
                raise NoAnswerError(f"{self.url}: no complete answer within {self._timeout_seconds:g} s")

    def _awaited_message(self, response: httpx.Response, awaited_id: int, started: float) -> bytes:
        for data in events(self._chunks(response, started)):
            message = parse_json(data)
            if isinstance(message, dict) and "method" not in message and message.get("id") in {awaited_id, None}:
                return data
        raise ProtocolError(f"{self.url}: the event stream ended without an answer")


def events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    r"""Yield the data of each server-sent event that has any.

    Lines end at LF or CRLF. Splitting bytes, not text: U+2028 is legal inside JSON and would end a `str` line.
    """
    pending, data = b"", list[bytes]()
    for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        for line in (line.removesuffix(b"\r") for line in lines):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif not line:
                if any(data):
                    yield b"\n".join(data)
                data.clear()


def parse_json(content: bytes) -> Any:
    """Return the decoded JSON. Raises ProtocolError when it is none."""
    try:
        return json.loads(content)
    except ValueError:
        raise ProtocolError("the answer is not JSON") from None


def status_error(url: str, answer: HttpAnswer) -> ClientError:
    """The error for a status without a JSON-RPC body, in one line."""
    location = answer.headers.get("location")
    detail = f" to {location} (not followed)" if location else f", {_media_type(answer.headers) or 'no content type'}"
    return HttpStatusError(f"{url}: HTTP {answer.status}{detail}", status=answer.status, headers=answer.headers)


def _media_type(headers: httpx.Headers) -> str:
    return str(headers.get("content-type", "")).partition(";")[0].strip().lower()


def is_json(answer: HttpAnswer) -> bool:
    """Whether a response says that it is JSON."""
    return _media_type(answer.headers) in {"application/json", EVENT_STREAM}
