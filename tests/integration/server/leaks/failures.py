"""What goes wrong at OrderDesk while tools are called, and the play of all that a tool can be told and meet."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from harness.sandbox.faults import (
    ConnectionReset,
    ErrorInside200,
    Fault,
    Latency,
    LostResponse,
    Match,
    ServerError,
    TooManyRequests,
    WrongJson,
)
from server.tools.declaration import Tool
from tests.integration.server.leaks.calls import ABSENT, CALLS, elsewhere, may_repeat, spoilt
from tests.integration.server.leaks.scene import Arguments, Scene
from tests.integration.server.leaks.watched import Answers

WRITING = ("POST", "PUT", "DELETE")
REPEATED = 6
"""Pieces that OrderDesk puts in a message."""
SLOW = frozenset({"orders_get", "orders_update"})
"""Tools that meet what takes its time and is the same for all: an OrderDesk that is too late, or wants patience."""
SLOWLY = frozenset({"too late", "too many"})


def saying(scene: Scene, words: str = "") -> str:
    """What OrderDesk may say of customers, theirs and ours."""
    pieces = [scene.held.any() for _ in range(REPEATED)] + [scene.sent.any() for _ in range(REPEATED)]
    return f"{words} Order of {' '.join(pieces)} already exists".strip()


def faults(scene: Scene) -> dict[str, tuple[Fault, ...]]:
    """What goes wrong at the sandbox, for this shop alone; the second half for its writes alone."""
    store = scene.shop.account.store_id
    every = Match(store_id=store)
    writes = [Match.model_validate({"method": method, "store_id": store}) for method in WRITING]
    return {
        "an error": (ErrorInside200(message=saying(scene), match=every),),
        "not found": (ErrorInside200(message=saying(scene, "Order Not Found"), match=every),),
        "a failure": (ServerError(match=every),),
        "half an answer": (WrongJson(match=every),),
        "another page": (WrongJson(form="html", match=every),),
        "a reset": (ConnectionReset(match=every),),
        "too many": (TooManyRequests(retry_after=1, match=every),),
        "too late": (Latency(milliseconds=4_000, match=every),),
        "a refused write": tuple(ErrorInside200(message=saying(scene), match=match) for match in writes),
        "a duplicate": tuple(ErrorInside200(message=saying(scene, "Duplicate"), match=match) for match in writes),
        "a failed write": tuple(ServerError(match=match) for match in writes),
        "a write answered by half": tuple(WrongJson(match=match) for match in writes),
        "a lost answer": tuple(LostResponse(match=match) for match in writes),
        "a lost write": tuple(ConnectionReset(match=match) for match in writes),
    }


@dataclass
class Told(Answers):
    """What a party was told: how often each error, and which tools succeeded."""

    codes: Counter[str] = field(default_factory=Counter)
    succeeded: set[str] = field(default_factory=set)


def play(scene: Scene, tool: Tool[Any], told: Told) -> None:
    """Call a tool rightly and wrongly, with everything going well and with all that can go wrong."""

    def ask(arguments: Arguments) -> None:
        code = told.add(tool.name, scene.call(tool.name, arguments), may_repeat(arguments))
        if code is None:
            told.succeeded.add(tool.name)
        else:
            told.codes[code] += 1

    def good() -> Arguments:
        scene.troubles.use(scene.shop)
        return CALLS[tool.name](scene)

    key = {"idempotency_key": f"key of {scene.sent.any()}"} if tool.writes else {}
    arguments = good()
    ask({**arguments, **({"dry_run": True} if tool.writes else {})})
    ask({**arguments, **key})
    ask({**arguments, **key})
    ask(arguments)
    ask({**good(), **key})
    for wrong in spoilt(good(), tool, scene.sent):
        ask(wrong)
    if tool.toolset not in {"stores", "tenant"}:
        for absent in (ABSENT, scene.sent.any()):
            ask(elsewhere(good(), absent))
    if tool.open_world:
        for name, fault in faults(scene).items():
            if name not in SLOWLY or tool.name in SLOW:
                arguments = good()
                scene.troubles.use(scene.shop, *fault)
                ask(arguments)
    scene.troubles.use(scene.shop)


def all_of(told: Told) -> str:
    """Everything that was told, as one text."""
    return json.dumps([answer.text for answer in told.told], ensure_ascii=False)
