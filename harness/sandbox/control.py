"""The control path `/_sandbox/`: journal, counters, faults and the rate limit, as JSON."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.sandbox.bucket import BucketSettings
from harness.sandbox.faults import FaultPlan
from harness.sandbox.gateway import Gateway
from harness.sandbox.query import parameters

PREFIX = "/_sandbox"
Action = Callable[[Gateway, Mapping[str, str], bytes], Any]


class JournalPage(BaseModel):
    """Which entries `GET /_sandbox/journal` returns: at most `limit`, after sequence number `since`."""

    model_config = ConfigDict(extra="forbid")

    since: int = Field(default=0, ge=0)
    limit: int = Field(default=1_000, ge=1, le=10_000)


def control(gateway: Gateway, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
    """The status and the JSON body of an answer; what is wrong with a request is said in `error` (400, 404, 405)."""
    actions = ACTIONS.get(path.removeprefix(PREFIX))
    if actions is None:
        return 404, orjson.dumps({"error": f"no such control path: {path}"})
    if method not in actions:
        return 405, orjson.dumps({"error": f"{path} takes {', '.join(actions)}"})
    try:
        return 200, orjson.dumps(actions[method](gateway, parameters(query), body))
    except ValidationError as error:
        return 400, orjson.dumps({"error": "; ".join(_complaint(problem) for problem in error.errors())})
    except orjson.JSONDecodeError as error:
        return 400, orjson.dumps({"error": f"the body is not valid JSON: {error}"})


def stats(gateway: Gateway) -> dict[str, Any]:
    """What the sandbox has counted since it started: totals, and answers by status, route and fault."""
    counted: dict[str, dict[str, int]] = {"requests": {}, "status": {}, "route": {}, "fault": {}}
    for (group, name), count in gateway.counts.items():
        counted[group][name] = count
    totals = {"total": 0, "applied": 0, "foreign": 0, "get_with_content_type": 0, "get_with_body": 0}
    return {**counted, "requests": {**totals, **counted["requests"]}, "last_sequence": gateway.journal.last_sequence}


def _journal(gateway: Gateway, asked: Mapping[str, str], _: bytes) -> Any:
    page = JournalPage.model_validate(asked)
    return gateway.journal.page(since=page.since, limit=page.limit)


def _clear_journal(gateway: Gateway, _: Mapping[str, str], __: bytes) -> Any:
    gateway.journal.clear()
    return {"last_sequence": gateway.journal.last_sequence}


def _faults(gateway: Gateway, _: Mapping[str, str], __: bytes) -> Any:
    return gateway.faults.state()


def _set_faults(gateway: Gateway, _: Mapping[str, str], body: bytes) -> Any:
    gateway.faults.use(FaultPlan.model_validate_json(body))
    return gateway.faults.state()


def _clear_faults(gateway: Gateway, _: Mapping[str, str], __: bytes) -> Any:
    gateway.faults.use(FaultPlan())
    return gateway.faults.state()


def _buckets(gateway: Gateway, _: Mapping[str, str], __: bytes) -> Any:
    return {
        store.id: {**store.bucket.settings.model_dump(), "tokens_remaining": store.bucket.remaining()}
        for store in gateway.stores.values()
    }


def _set_buckets(gateway: Gateway, asked: Mapping[str, str], body: bytes) -> Any:
    changed = orjson.loads(body)
    for store in gateway.stores.values():
        given = changed if isinstance(changed, dict) else {"": changed}
        store.bucket.configure(BucketSettings.model_validate({**store.bucket.settings.model_dump(), **given}))
    return _buckets(gateway, asked, body)


def _complaint(problem: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


ACTIONS: Mapping[str, Mapping[str, Action]] = {
    "/journal": {"GET": _journal, "DELETE": _clear_journal},
    "/stats": {"GET": lambda gateway, _, __: stats(gateway)},
    "/faults": {"GET": _faults, "PUT": _set_faults, "DELETE": _clear_faults},
    "/bucket": {"GET": _buckets, "PUT": _set_buckets},
}
