"""A project's issue alert rules over Sentry's API: listed whole, and changed one at a time.

From "List a Project's Issue Alert Rules", "Create …", "Update …", "Delete an Issue Alert Rule", "Paginating Results"
and "Rate Limits" of Sentry's documentation.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from harness.errors import HarnessError, UsageError

TRIES: Final = 4
MOST_PAGES: Final = 100
LONGEST_WAIT: Final = 30.0
DEFAULT_WAIT: Final = 2.0
TIMEOUT: Final = 15.0
NEXT: Final = re.compile(r'rel="next";\s*results="true";\s*cursor="([^"]+)"')
SAID: Final = 300


class RefusedError(HarnessError):
    """Sentry does not take a rule as it is."""


class Rules:
    """The rules of one project."""

    def __init__(
        self,
        url: str,
        organization: str,
        project: str,
        token: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._project = f"{organization}/{project}"
        self._path = f"/api/0/projects/{organization}/{project}/rules/"
        self._sleep = sleep
        # Redirects are not followed: the token is for this address.
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT, follow_redirects=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def list(self) -> list[dict[str, Any]]:
        """Every rule, page by page. Raises HarnessError where it cannot be told what all of them are."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            answer = self._ask("GET", self._path, parameters={"cursor": cursor} if cursor else {})
            page = self._document(answer)
            if not isinstance(page, list) or not all(
                isinstance(rule, dict) and {"id", "name"} <= rule.keys() for rule in page
            ):
                raise HarnessError(f"{self._where()} answered something that is no list of rules")
            found += page
            following = NEXT.search(answer.headers.get("Link", ""))
            if following is None:
                return found
            cursor = following[1]
        raise HarnessError(f"{self._where()} has more than {MOST_PAGES} pages of rules, or pages without an end")

    def create(self, body: Mapping[str, Any]) -> None:
        """Add a rule. Raises RefusedError, or HarnessError where it is not known whether it was added."""
        self._ask("POST", self._path, body=body)

    def update(self, rule_id: str, body: Mapping[str, Any]) -> None:
        """Overwrite a rule. Raises as `create`."""
        self._ask("PUT", self._one(rule_id), body=body)

    def delete(self, rule_id: str) -> None:
        """Remove a rule; one that is gone already is as good. Raises as `create`."""
        self._ask("DELETE", self._one(rule_id), gone=True)

    def _one(self, rule_id: str) -> str:
        if not re.fullmatch(r"[0-9]+", rule_id):
            raise HarnessError(f"{self._where()} has a rule whose id is no number")
        return f"{self._path}{rule_id}/"

    def _ask(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        gone: bool = False,
    ) -> httpx.Response:
        """An answer of success, having waited where there were too many requests."""
        for number in range(TRIES):
            try:
                answer = self._http.request(method, path, params=parameters, json=body)
            except httpx.HTTPError as error:
                raise HarnessError(f"{self._where()} did not answer: {type(error).__name__}") from None
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            wait = _wait(answer)
            if number + 1 == TRIES or wait > LONGEST_WAIT:
                raise HarnessError(f"{self._where()} takes no more requests for now (HTTP 429, {wait:g} s)")
            self._sleep(wait)
        if answer.is_success or (gone and answer.status_code == httpx.codes.NOT_FOUND):
            return answer
        raise self._error(answer)

    def _error(self, answer: httpx.Response) -> HarnessError:
        status = answer.status_code
        if status == httpx.codes.UNAUTHORIZED:
            return UsageError(f"{self._where()} does not know the token (HTTP 401)")
        if status == httpx.codes.FORBIDDEN:
            return UsageError(f"{self._where()} does not let the token do this (HTTP 403); it needs alerts:write")
        if status == httpx.codes.NOT_FOUND:
            return UsageError(f"{self._where()} does not have the project {self._project} (HTTP 404)")
        if status == httpx.codes.BAD_REQUEST:
            return RefusedError(f"{self._where()} refuses the rule (HTTP 400): {_said(answer)}")
        return HarnessError(f"{self._where()} answered HTTP {status}")

    def _document(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise HarnessError(f"{self._where()} answered something that is no JSON") from None

    def _where(self) -> str:
        return str(self._http.base_url).rstrip("/")


def _wait(answer: httpx.Response) -> float:
    """Seconds until the next try: by Retry-After, or by the time at which Sentry's window begins anew."""
    try:
        if "Retry-After" in answer.headers:
            return max(0.0, float(answer.headers["Retry-After"]))
        return max(0.0, float(answer.headers["X-Sentry-Rate-Limit-Reset"]) - time.time())
    except (KeyError, ValueError):
        return DEFAULT_WAIT


def _said(answer: httpx.Response) -> str:
    """What Sentry said, short and without what would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in answer.text[:SAID])
