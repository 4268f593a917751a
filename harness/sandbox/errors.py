"""What the sandbox refuses, and what its client could not find out."""

from harness.errors import HarnessError


class SandboxError(HarnessError):
    """The sandbox could not be asked, or its journal no longer holds what was asked for."""


class RefusedError(SandboxError):
    """A request the API answers with `{"status":"error"}`, by default inside HTTP 200 as OrderDesk often does.

    Where OrderDesk's public pages do not say, an unknown id or path is 404 and a body that is not JSON is 400.
    """

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status
