"""The server with a fault in every tool, in whose exceptions stands all that the tool was told."""

import sys
from collections.abc import Mapping
from typing import Any

from server.cli import main
from server.tools.declaration import Tool


def parse(self: Tool[Any], arguments: Mapping[str, Any]) -> Any:
    """Fail in all the ways that an exception can carry a text: its own, its cause's, a group's, a note."""
    told = f"{self.name} was told {arguments}"
    # A kind for each tool: what is the same again and again is not reported again and again.
    error = type(f"Fault_{self.name}", (RuntimeError,), {"detail": told})(told, arguments)
    error.add_note(told)
    raise error from ExceptionGroup(told, [ValueError(told), KeyError(told), OSError(13, told, told)])


Tool.parse = parse  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
