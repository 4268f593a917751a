"""A client of the sandbox's control path, for tests and harness: what happened there, and what shall go wrong."""

from typing import Any, Self

import httpx

from harness.connections import LIMITS, certificates
from harness.sandbox.control import PREFIX
from harness.sandbox.errors import SandboxError
from harness.sandbox.faults import Fault, FaultPlan

PAGE = 10_000


class SandboxClient:
    """Talks to the sandbox at `base_url`, such as http://127.0.0.1:8081 (without /api/v2). A context manager."""

    def __init__(self, base_url: str, *, timeout_seconds: float = 10.0) -> None:
        url = base_url.rstrip("/") + PREFIX
        self._http = httpx.Client(
            base_url=url, timeout=timeout_seconds, trust_env=False, limits=LIMITS, verify=certificates()
        )

    def journal(self, since: int = 0) -> list[dict[str, Any]]:
        """Every journal entry after sequence number `since`. Raises SandboxError when some are no longer kept."""
        entries: list[dict[str, Any]] = []
        while True:
            page = self._ask("GET", "/journal", params={"since": since, "limit": PAGE})
            if page["dropped"]:
                raise SandboxError(f"{page['dropped']} journal entries after {since} are lost; raise --journal-limit")
            if not page["entries"]:
                return entries
            entries.extend(page["entries"])
            since = entries[-1]["sequence"]

    def last_sequence(self) -> int:
        """The sequence number of the newest journal entry: where to read from to see only what comes."""
        sequence: int = self.stats()["last_sequence"]
        return sequence

    def clear_journal(self) -> None:
        """Forget the journal; sequence numbers and counters go on."""
        self._ask("DELETE", "/journal")

    def stats(self) -> dict[str, Any]:
        """Counters since the start: `requests`, `status`, `route`, `fault` by name, and `last_sequence`."""
        return self._ask("GET", "/stats")

    def set_faults(self, *faults: Fault, seed: int = 1) -> None:
        """Replace all faults by these, their draws starting from `seed`."""
        self._ask("PUT", "/faults", json=FaultPlan(seed=seed, faults=faults).model_dump(mode="json"))

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, each with how often it has `fired`."""
        rules: list[dict[str, Any]] = self._ask("GET", "/faults")["faults"]
        return rules

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._ask("DELETE", "/faults")

    def bucket(self, **settings: bool | float) -> dict[str, Any]:
        """The rate limit of each store by its id, after having set `enabled`, `capacity` or `refill_per_second`.

        Whatever is set, every bucket starts full again.
        """
        return self._ask("PUT", "/bucket", json=settings) if settings else self._ask("GET", "/bucket")

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **sent)
        except httpx.HTTPError as error:
            raise SandboxError(f"the sandbox did not answer {method} {PREFIX}{path}: {error}") from error
        answer: dict[str, Any] = response.json()
        if response.status_code != 200:
            raise SandboxError(f"the sandbox refused {method} {PREFIX}{path}: {answer['error']}")
        return answer
