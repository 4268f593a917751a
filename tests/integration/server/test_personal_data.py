"""Names, e-mail addresses, addresses and payment fields stay out of logs, metrics, errors, audit rows and commands."""

import contextlib
import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.client import ClientError, RpcError
from harness.sandbox.faults import (
    ConnectionReset,
    ErrorInside200,
    Fault,
    LostResponse,
    Match,
    ServerError,
    WrongJson,
)
from server.tools.registry import ALL as TOOLS
from tests.integration.server.bench import ERAS, Bench, Shop, Upstream, settings_of, start_bench
from tests.integration.server.operating import run_command
from tests.integration.server.personal import (
    ABSENT,
    ALL,
    CALLS,
    ECHO,
    EMAIL,
    FIRST,
    HELD,
    ID_NAMED,
    KEY,
    PAID,
    PERSON,
    PHONE,
    SENT,
    STORE_NAMED,
    Answering,
    Arguments,
    Scene,
    elsewhere,
    leaks,
    spoilt,
)
from tests.integration.server.stdio_process import speaking
from tests.integration.server.test_webhook import deliver, sign

SETTINGS = {
    "LOG_LEVEL": "debug",
    "HTTP_MAX_RETRIES": "0",
    "CACHE_TTL_ORDERS_SECONDS": "0",
    "CACHE_TTL_PRODUCTS_SECONDS": "0",
    "CACHE_TTL_STORE_SECONDS": "0",
    "DESTRUCTIVE_CAP_PER_HOUR": "100000",
}
WRITING = ("POST", "PUT", "DELETE")


@dataclass
class Told:
    """The errors that a client was told, and how often each code; `succeeded` holds the tools that did."""

    errors: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    succeeded: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def bench(start_once: Callable[..., Bench]) -> Bench:
    """A server that logs all it can and caches nothing."""
    return start_once(**SETTINGS)


@pytest.fixture
def scene(bench: Bench) -> Scene:
    return Scene(bench, bench.open_shop())


@contextlib.contextmanager
def over(way: str, scene: Scene, folder: Path) -> Iterator[tuple[Answering, Callable[[], str]]]:
    """A way to call tools, and what its own process has logged."""
    bench, key = scene.bench, scene.shop.tenant.key
    if way != "stdio":
        with bench.connect(scene.shop.tenant, way) as client:

            def call(tool: str, arguments: Arguments) -> dict[str, Any]:
                outcome = client.call_tool(tool, arguments)
                assert json.loads(outcome.text) == outcome.structured
                return dict(outcome.structured or {})

            yield call, lambda: ""
        return
    log = folder / "stdio.log"
    with speaking({**bench.environment, "TENANT_KEY": key}, log) as server:

        def say(tool: str, arguments: Arguments) -> dict[str, Any]:
            identity = len(server.messages) + 1
            send = server.modern if identity % 2 else server.ask
            answer = send("tools/call", identity, name=tool, arguments=arguments)
            return dict(answer["result"]["structuredContent"])

        yield say, log.read_text


def faults(shop: Shop) -> dict[str, tuple[Fault, ...]]:
    """What goes wrong at the sandbox, for this shop alone; the second half for its writes alone."""
    every = Match(store_id=shop.account.store_id)
    writes = [Match.model_validate({"method": method, "store_id": shop.account.store_id}) for method in WRITING]
    return {
        "an error": (ErrorInside200(message=ECHO, match=every),),
        "not found": (ErrorInside200(message=f"{ECHO} Not Found", match=every),),
        "a failure": (ServerError(match=every),),
        "half an answer": (WrongJson(match=every),),
        "another page": (WrongJson(form="html", match=every),),
        "a reset": (ConnectionReset(match=every),),
        "a refused write": tuple(ErrorInside200(message=ECHO, match=match) for match in writes),
        "a duplicate": tuple(ErrorInside200(message=f"Duplicate {PHONE} {EMAIL}", match=match) for match in writes),
        "a failed write": tuple(ServerError(match=match) for match in writes),
        "a write answered by half": tuple(WrongJson(match=match) for match in writes),
        "a lost answer": tuple(LostResponse(match=match) for match in writes),
        "a lost write": tuple(ConnectionReset(match=match) for match in writes),
    }


def play(scene: Scene, tool: Any, told: Told) -> None:
    """Call a tool rightly and wrongly, with everything going well and with all that can go wrong."""
    control = scene.bench.upstream.control

    def ask(arguments: Arguments) -> None:
        answer = scene.call(tool.name, arguments)
        if "error" in answer:
            told.errors.append(json.dumps(answer, ensure_ascii=False))
            told.codes[answer["error"]["code"]] += 1
        else:
            told.succeeded.add(tool.name)

    def good() -> Arguments:
        control.clear_faults()
        return CALLS[tool.name](scene)

    key = {"idempotency_key": KEY} if tool.writes else {}
    arguments = good()
    ask({**arguments, **({"dry_run": True} if tool.writes else {})})
    ask({**arguments, **key})
    ask({**arguments, **key})
    ask(arguments)
    ask({**good(), **key})
    for wrong in spoilt(good(), tool.arguments.model_fields):
        ask(wrong)
    if tool.toolset not in {"stores", "tenant"}:
        for absent in (ABSENT, ID_NAMED):
            ask(elsewhere(good(), absent))
    if tool.open_world:
        for fault in faults(scene.shop).values():
            arguments = good()
            control.set_faults(*fault)
            ask(arguments)
        control.clear_faults()


def places(bench: Bench, log: str = "") -> dict[str, str]:
    """Everything that an operator may see or keep of what the server did."""
    bench.upstream.control.clear_faults()
    time.sleep(0.7)  # the audit's rows are written twice a second
    files = sorted(bench.database.parent.glob("app.db*"))
    return {
        "the log": bench.log.read_text() + bench.process.stdout.read_text() + log,
        "the metrics": bench.get("/metrics").text,
        "the health page": bench.get("/health/detailed").text,
        "the audit": str(bench.query("SELECT * FROM audit")),
        "the database": b"".join(path.read_bytes() for path in files).decode("latin-1"),
    }


def test_every_tool_has_a_call_here() -> None:
    assert {tool.name for tool in TOOLS} == set(CALLS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", [*ERAS, "stdio"])
def test_whatever_tools_answer_nothing_personal_is_left_behind(way: str, scene: Scene, tmp_path: Path) -> None:
    told = Told()
    with over(way, scene, tmp_path) as (call, log):
        for tool in TOOLS:
            play(replace(scene, call=call), tool, told)
        found = leaks(places(scene.bench, log()))
    assert found == []
    errors = {f"error {number}: {error[:400]}": error for number, error in enumerate(told.errors)}
    assert leaks(errors, (*HELD, *SENT, "wobblechops")) == []
    assert told.succeeded == set(CALLS)
    # It could have been found: each kind of error was told, and the customer's data is in the sandbox.
    assert set(told.codes) >= {
        *("VALIDATION_ERROR", "NOT_FOUND", "STORE_NOT_FOUND", "CONFLICT_ERROR", "AUTH_ERROR", "ORDERDESK_API_ERROR"),
        *("UPSTREAM_UNAVAILABLE", "WRITE_UNCERTAIN"),
    }
    assert sum(told.codes.values()) > 300
    assert leaks({"the order": json.dumps(scene.bench.upstream.order(scene.shop.account, scene.order()))}, HELD)
    assert leaks({"the errors": json.dumps(told.errors)}, (STORE_NAMED,))


@contextlib.contextmanager
def refusing(bench: Bench) -> Iterator[None]:
    """A database that takes no write, as on a full disk."""
    with contextlib.closing(sqlite3.connect(bench.database)) as connection:
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON writes BEGIN SELECT RAISE(ABORT, 'full'); END")
        try:
            yield
        finally:
            connection.execute("DROP TRIGGER refuse")


@contextlib.contextmanager
def locked(bench: Bench) -> Iterator[None]:
    """A database that another process holds."""
    with contextlib.closing(sqlite3.connect(bench.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("trouble", [refusing, locked])
def test_a_database_in_trouble_tells_nothing_of_what_it_did_not_take(
    trouble: Callable[[Bench], contextlib.AbstractContextManager[None]], scene: Scene
) -> None:
    asked = {name: CALLS[name](scene) for name in ("orders_update", "orders_create")}
    with scene.bench.connect(scene.shop.tenant) as client, trouble(scene.bench):
        told = [client.call_tool(name, {**arguments, "idempotency_key": KEY}) for name, arguments in asked.items()]
    assert all(outcome.is_error for outcome in told)
    assert leaks({**places(scene.bench), "the errors": str([outcome.text for outcome in told])}) == []


def test_faults_of_the_server_s_own_are_logged_by_kind_and_place_alone(
    upstream: Upstream, migrated_database: Path, tmp_path: Path
) -> None:
    database = Path(shutil.copy(migrated_database, tmp_path / "app.db"))
    environment = settings_of(upstream, database, **SETTINGS)
    with start_bench(upstream, environment, tmp_path, "tests.integration.server.crashing_server") as bench:
        scene = Scene(bench, bench.open_shop())
        delivery = json.dumps(upstream.order(scene.shop.account, scene.order()))
        with bench.connect(scene.shop.tenant) as client:
            told = [
                client.call_tool("orders_get", CALLS["orders_get"](scene)).text,
                client.call_tool("orders_update", CALLS["orders_update"](scene)).text,
            ]
            with pytest.raises(ClientError) as crashed:
                client.call_tool("orders_list", CALLS["orders_list"](scene))
        told += [str(crashed.value), deliver(bench, scene.shop.account, delivery).text]
        assert leaks({**places(bench), "the errors": str(told)}) == []
        assert "INTERNAL_ERROR" in told[0]
        assert "WRITE_UNCERTAIN" in told[1]
        logged: dict[str, str] = {}
        for line in bench.events():
            if line.get("exception"):
                logged[line["event"]] = logged.get(line["event"], "") + line["exception"]
    assert set(logged) == {"tool.crashed", "writes.crashed", "http.crashed", "library.log"}
    assert logged["tool.crashed"].startswith("builtins.KeyError\nbuiltins.RuntimeError\n")
    assert "crashing_server.py" in logged["writes.crashed"]
    assert "builtins.LookupError" in logged["http.crashed"]
    assert "builtins.ValueError" in logged["library.log"]


def test_a_webhook_leaves_nothing_of_the_order_that_it_brings(scene: Scene) -> None:
    account = scene.shop.account
    order = json.dumps(scene.bench.upstream.order(account, scene.order()))
    answers = [
        deliver(scene.bench, account, order),
        deliver(scene.bench, account, order),
        deliver(scene.bench, account, order, X_Order_Desk_Hash="0" * 64),
        deliver(scene.bench, account, order, X_Order_Desk_Hash=EMAIL),
        deliver(scene.bench, account, order, X_Order_Desk_Store_Id=PERSON["last_name"]),
        deliver(scene.bench, account, order[:-9], X_Order_Desk_Hash=sign(order[:-9], account.api_key)),
        deliver(scene.bench, account, f'"{order}"'),
        deliver(scene.bench, account, order, Host=f"{FIRST}.test"),
    ]
    assert Counter(answer.status_code for answer in answers) == {200: 2, 401: 3, 400: 2, 421: 1}
    assert leaks({**places(scene.bench), "the answers": str([answer.text for answer in answers])}) == []


def test_texts_that_clients_choose_are_not_kept(scene: Scene) -> None:
    bench, shop = scene.bench, scene.shop
    with bench.connect(shop.tenant) as client:
        for method, params in (
            (EMAIL, {}),
            ("tools/call", {"name": EMAIL, "arguments": {"email": EMAIL}}),
            ("resources/read", {"uri": f"order://{EMAIL}"}),
            ("prompts/get", {"name": PERSON["last_name"]}),
            ("tools/list", {"cursor": PHONE}),
        ):
            with pytest.raises(RpcError):
                client.request(method, params)
    headers: Mapping[str, str]
    for headers in (
        {"X-Request-ID": EMAIL},
        {"X-Request-ID": PERSON["last_name"]},
        {"X-Request-ID": "447700900461"},
        {"MCP-Protocol-Version": EMAIL},
        {"User-Agent": EMAIL, "Cookie": EMAIL, "Referer": f"http://{FIRST}.test/", "From": EMAIL},
        {"Origin": f"http://{FIRST}.test"},
        {"Authorization": f"Bearer {EMAIL}"},
    ):
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "stores_list"}}
        sent = {"Authorization": f"Bearer {shop.tenant.key}", **headers}
        httpx.post(f"{bench.url}?email={EMAIL}", json=call, headers=sent, trust_env=False)
        httpx.get(f"{bench.base_url}/{PERSON['last_name']}?email={EMAIL}", headers=sent, trust_env=False)
    assert leaks(places(bench), (*ALL, "447700900461")) == []
    assert {line["rpc_method"] for line in bench.events("http.request")} >= {"unknown", "tools/call"}


def test_commands_print_customers_only_where_they_were_asked_for_them(scene: Scene) -> None:
    bench, control = scene.bench, scene.bench.upstream.control
    with bench.connect(scene.shop.tenant) as client:
        update = CALLS["orders_update"](scene)
        written = (client.call_tool("orders_update", update).structured or {})["write_id"]
        for tool in ("orders_update", "orders_create", "shipments_add", "products_create"):
            asked = {**CALLS[tool](scene), "idempotency_key": KEY}
            control.set_faults(*faults(scene.shop)["a failed write"])
            assert client.call_tool(tool, asked).is_error
            control.clear_faults()
    told = {}
    for fault, *command in (
        ("", "writes", "list"),
        ("", "writes", "list", "--json"),
        ("an error", "writes", "uncertain", "--look-up"),
        ("an error", "writes", "revert", written),
        ("a refused write", "writes", "revert", written),
    ):
        control.set_faults(*(faults(scene.shop)[fault] if fault else ()))
        done = run_command(bench, *command)
        told[f"{command} with {fault}"] = done.stdout + done.stderr
    control.clear_faults()
    shown = run_command(bench, "writes", "show", written)
    assert PAID["email"] in shown.stdout
    told["the log of writes show"] = shown.stderr
    preview = run_command(bench, "writes", "revert", written, "--dry-run")
    assert PAID["email"] in preview.stdout
    told["the log of a preview"] = preview.stderr
    assert "OrderDesk could not say" in str(told)
    assert "not reverted" in str(told)
    assert leaks({**told, **places(bench)}) == []
