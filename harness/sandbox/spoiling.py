"""What the fault that decides a request's answer makes of it."""

from collections.abc import Callable
from dataclasses import replace

from harness.sandbox.call import failure
from harness.sandbox.exchange import Answer
from harness.sandbox.faults import (
    ConnectionReset,
    ErrorInside200,
    LostResponse,
    Outcome,
    ServerError,
    TooManyRequests,
    WrongJson,
)

HTML = b"text/html; charset=utf-8"
HTML_ERROR = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"


def spoiled(outcome: Outcome, handle: Callable[[], Answer]) -> Answer:
    """The answer to a request that `handle` would answer rightly; `handle` is called when the request is applied."""
    match outcome:
        case TooManyRequests(retry_after=seconds):
            answer = Answer(429, failure("Too many requests"), retry_after=seconds)
        case ErrorInside200(message=message):
            answer = Answer(200, failure(message))
        case ConnectionReset():
            answer = Answer(None, reset=True)
        case LostResponse():
            handle()
            answer = Answer(None)
        case ServerError(status=status, applied=applied):
            if applied:
                handle()
            answer = Answer(status, HTML_ERROR, HTML)
        case WrongJson(form=form):
            handled = handle()
            half = handled.body[: len(handled.body) // 2]
            answer = replace(handled, body=half) if form == "truncated" else Answer(200, HTML_ERROR, HTML)
    return answer
