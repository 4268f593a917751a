"""What the Python clients' programs share: JSON lines in and out (line_client.py says which)."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any


def say(answer: dict[str, Any]) -> None:
    """Write one answer."""
    print(json.dumps(answer), flush=True)  # noqa: T201 - this is the program's output


def flatten(error: BaseException) -> str:
    """What an error says, those inside a group included."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(flatten(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"


def outcome(result: Any, *, structured: Any) -> dict[str, Any]:
    """A call's result as an answer."""
    text = "".join(block.text for block in result.content)
    return {"is_error": bool(result.is_error), "structured": structured, "text": text}


def tools(listed: list[Any]) -> dict[str, Any]:
    """A list of tools as an answer, in the protocol's own names."""
    return {"tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]}


async def answer_lines(answer: Callable[[str | None, dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Answer each line with what `answer` makes of the tool's name (None: the list of tools) and its arguments.

    Reading blocks the loop: nothing else is to be done between two questions.
    """
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say(await answer(asked.get("tool"), asked.get("arguments", {})))
        except Exception as error:  # noqa: BLE001 - whatever the client raises is what its caller is told
            say({"refused": flatten(error)})
