"""Read generator, server and both processes once a second, on one monotonic clock, and keep what was read."""

import contextlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import psutil

from harness.connections import certificates
from harness.process import ChildProcess
from perf.exposition import Exposition, read_exposition
from perf.load.windows import ASKED_FOR, ProcessReading, Reading, Window, make_windows

TIMEOUT_SECONDS = 1.0
"""A reading that takes longer is none: the next second has its own."""
OPEN = frozenset({psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT})
"""A connection that the process has not closed."""


@dataclass(frozen=True)
class Place:
    """Where the server that is loaded can be looked at. `pid` is None for one that is not on this machine."""

    base_url: str
    admin_token: str | None = field(repr=False)
    pid: int | None = None


def place_of(url: str, admin_token: str | None, pid: int | None = None) -> Place:
    """The place of a server by its MCP endpoint: health and metrics are at the root of the same address."""
    parts = urlsplit(url)
    return Place(f"{parts.scheme}://{parts.netloc}", admin_token, pid)


class Sampler:
    """Reads when it is told to. A context manager; `readings` are in order, the first one made at the start."""

    def __init__(self, place: Place, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.readings: list[Reading] = []
        self.place = place
        self._monotonic = monotonic
        self._began = monotonic()
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=certificates())
        self._api = ""

    def __enter__(self) -> Self:
        self.read(None)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def read(self, generator: ChildProcess | None) -> Reading:
        """Make one reading, keep it and return it."""
        probe, answered = self._probe()
        server = self._metrics() if answered else None
        counted = self._generator(generator) if generator else {}
        reading = Reading(
            at=self._monotonic() - self._began,
            # What was known a second ago is the best that is known now: counters do not go back.
            generator=dict(self.readings[-1].generator) if counted is None else counted,
            generator_known=counted is not None,
            generator_process=read_process(generator.pid) if generator else ProcessReading(0.0),
            machine_cpu_seconds=read_machine(),
            server=server,
            server_process=None if self.place.pid is None else read_process(self.place.pid),
            probe_milliseconds=probe,
        )
        self.readings.append(reading)
        return reading

    def stop_generator(self) -> None:
        """Let k6 end now, with its summary written; where its API does not answer, nothing happens."""
        attributes = {"data": {"type": "status", "id": "default", "attributes": {"stopped": True}}}
        with contextlib.suppress(httpx.HTTPError):
            self._http.patch(f"{self._api}/v1/status", json=attributes)

    def _generator(self, process: ChildProcess) -> dict[str, float] | None:
        with contextlib.suppress(httpx.HTTPError, psutil.Error, ValueError, KeyError):
            self._api = self._api or _api_of(process.pid)
            if self._api:
                return read_generator(self._http.get(f"{self._api}/v1/metrics").json())
        return None

    def _metrics(self) -> Exposition | None:
        if self.place.admin_token is None:
            return None
        headers = {"Authorization": f"Bearer {self.place.admin_token}"}
        with contextlib.suppress(httpx.HTTPError, ValueError):
            response = self._http.get(f"{self.place.base_url}/metrics", headers=headers)
            if response.status_code == 200:
                # A soak makes thousands of readings: what nobody will ask for is not kept.
                return read_exposition(response.text).only(ASKED_FOR)
        return None

    def _probe(self) -> tuple[float | None, bool]:
        """How long a request took that needs nothing, and whether it was answered; None where nobody listens."""
        began = time.perf_counter()
        try:
            status = self._http.get(f"{self.place.base_url}/health/live").status_code
        except httpx.TimeoutException:
            return TIMEOUT_SECONDS * 1000, False
        except httpx.HTTPError:
            return None, False
        return ((time.perf_counter() - began) * 1000 if status == 200 else None), True


def read_generator(document: dict[str, Any]) -> dict[str, float]:
    """What k6's GET /v1/metrics says, by name: counters and gauges; `failed` is the count of requests that failed."""
    found: dict[str, float] = {}
    for each in document["data"]:
        sample = each["attributes"]["sample"]
        for key in ("count", "value", "rate"):
            if key in sample:
                found[each["id"]] = float(sample[key])
                break
    found["failed"] = round(found.get("http_req_failed", 0.0) * found.get("http_reqs", 0.0))
    return found


def read_process(pid: int) -> ProcessReading | None:
    """What the process has used and holds; None when it is gone."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            times = process.cpu_times()
            connections = process.net_connections("tcp")
            ports = {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}
            accepted = [each for each in connections if each.status in OPEN and each.laddr.port in ports]
            return ProcessReading(
                cpu_seconds=times.user + times.system,
                resident_bytes=process.memory_info().rss,
                descriptors=process.num_fds(),
                connections=len(accepted),
            )
    return None


def read_machine() -> float:
    """The seconds for which this machine's cores were not idle, together, since it started."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # A guest's time is part of its user time already.
    return float(sum(times) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))


def write_series(path: Path, windows: tuple[Window, ...]) -> None:
    """Write the windows as JSON; what could not be told is null."""
    rows = [{name: None if math.isnan(value) else value for name, value in asdict(each).items()} for each in windows]
    path.write_text(json.dumps({"windows": rows}, indent=1) + "\n", encoding="utf-8")


def windows_of(sampler: Sampler) -> tuple[Window, ...]:
    """The windows between a sampler's readings."""
    return make_windows(sampler.readings)


def _api_of(pid: int) -> str:
    """Where k6's API listens; empty while it does not."""
    for each in psutil.Process(pid).net_connections("tcp"):
        if each.status == "LISTEN":
            return f"http://127.0.0.1:{each.laddr.port}"
    return ""
