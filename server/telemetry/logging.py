"""One log pipeline: structlog events as JSON lines on standard error, without secrets and without anybody's data."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import orjson
import structlog

REDACTED: Final = "[redacted]"
LogFields = dict[str, Any]

SECRET_NAMES: Final = frozenset(
    {"api_key", "authorization", "master_key", "admin_token", "token", "secret", "password", "smtp_password", "key"}
)
TENANT_KEY: Final = re.compile(r"qm_[a-z2-7]{16}\.[A-Za-z0-9_-]{43}")
QUERY_TOKEN: Final = re.compile(r"([?&]token=)[^&\s\"']+")
# What a text may quote: anything in quotation marks, e-mail addresses, runs of digits as long as a telephone number.
QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\S+@\S+|\d[\d ().-]{5,}\d")
HIDDEN: Final = "[…]"


def redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace what a secret's name marks, and what has the shape of a key of ours wherever it stands."""
    for name, value in event.items():
        if name in SECRET_NAMES:
            event[name] = REDACTED
        elif isinstance(value, str):
            event[name] = redact_text(value)
    return event


def redact_text(text: str) -> str:
    """`text` without keys of ours and without query tokens."""
    if "qm_" in text or "token=" in text:
        return QUERY_TOKEN.sub(r"\1" + REDACTED, TENANT_KEY.sub(REDACTED, text))
    return text


def describe(error: BaseException) -> str:
    """What `error` is, where it was raised, and the same of its causes, a line each.

    Not what it says: an exception's text quotes the value that was wrong. The system's own reasons are told.
    """
    return "\n".join(line for each in chain(error) for line in _described(each))


def chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that led to it, causes first, each once; members of a group before the group."""
    yield from _chain(error, set())


def reason_of(error: BaseException) -> str | None:
    """The system's own words for what went wrong, None where it has none."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    name: str | None = getattr(error, "sqlite_errorname", None)
    return name


def _chain(error: BaseException, told: set[int]) -> Iterator[BaseException]:
    if id(error) in told:
        return
    told.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _chain(cause, told)
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _chain(member, told)
    yield error


def _described(error: BaseException) -> Iterator[str]:
    kind, reason = type(error), reason_of(error)
    yield f"{kind.__module__}.{kind.__qualname__}" + (f" ({reason})" if reason else "")
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} {frame.name}"


def _describe_exception(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put the description of the exception that is logged, if any, in its place."""
    error = logged_exception(event)
    if event.pop("exc_info", None):
        event["exception"] = None if error is None else describe(error)
    return event


def logged_exception(event: Mapping[str, Any]) -> BaseException | None:
    """The exception that an event is logged with, if any."""
    info = event.get("exc_info")
    if not info:
        return None
    return info if isinstance(info, BaseException) else sys.exc_info()[1]


def _render(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    return orjson.dumps(event, default=str)


class _ForwardToStructlog(logging.Handler):
    """Libraries log through the standard library; their records join the same pipeline.

    Of what they say it takes the first line, before it is filled in: anything may follow.
    """

    def __init__(self, logger: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        message = QUOTED.sub(HIDDEN, str(record.msg).partition("\n")[0])
        error = record.exc_info[1] if record.exc_info else None
        self._logger.log(record.levelno, "library.log", logger=record.name, message=message, exc_info=error)


def configure(
    level: str, stream: BinaryIO | None = None, report: structlog.typing.Processor | None = None
) -> structlog.typing.FilteringBoundLogger:
    """Return the process's logger at `level` (debug, info, warning, error) and send library logs through it.

    `report` is shown every event before its exception is described, and may add to it.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if report is None else [report]),
            _describe_exception,
            redact,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    logging.basicConfig(handlers=[_ForwardToStructlog(logger)], level=max(threshold, logging.WARNING), force=True)
    return logger


class AccessLog:
    """The line per request, in the pipeline's own format but past it: the pipeline costs a tenth of a call.

    What is answered in one turn of the event loop goes to the stream together, at its end. Whoever calls it passes
    nothing but our own words, and ids.
    """

    def __init__(self, level: str, stream: BinaryIO | None = None) -> None:
        self._stream = stream or sys.stderr.buffer
        self._enabled = logging.getLevelNamesMapping()[level.upper()] <= logging.INFO
        self._lines: list[bytes] = []

    def write(self, fields: LogFields) -> None:
        """Write `fields` as one JSON line at level info; called within the event loop."""
        if self._enabled:
            fields["level"] = "info"
            fields["timestamp"] = datetime.now(UTC)
            if not self._lines:
                asyncio.get_running_loop().call_soon(self._flush)
            self._lines.append(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        self._stream.write(b"".join(lines))
        self._stream.flush()


Logger = structlog.typing.FilteringBoundLogger
