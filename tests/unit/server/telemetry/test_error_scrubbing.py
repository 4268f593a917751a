"""The last gate before an event leaves: nothing passes that is not known by its place and fits its shape."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from server.telemetry.logging import REDACTED, SECRET_NAMES
from server.telemetry.tracking.scrub import EVENT, FUNCTION, METHOD, PLACE, STATUS, STEP, WORD, scrub
from server.tools.registry import ALL
from tests.unit.server.parts import seeded

# Keys and personal data in the shapes in which they come; written apart where a scanner would take them for real.
SECRETS = (
    "qm_abcdefghijklmnop." + "A1b2C3d4" * 5 + "xyz",
    "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "gh" + "p_16C7e42F292c6912E7710c838347Ae178B4a",
    "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "Bearer 0123456789abcdef",
    "mary.poppins@example.com",
    "+44 7700 900461",
    "17 Cherry Tree Lane",
    "203.0.113.77",
    "4111 1111 1111 1111",
    "https://shop.example/?token=abc123",
    "SELECT * FROM stores WHERE api_key = 'hunter2'",
)


def planted(secret: str) -> dict[str, Any]:
    """An event of the SDK's own making with a secret at every place that it can have one."""
    frame = {
        "filename": secret,
        "abs_path": secret,
        "function": secret,
        "module": secret,
        "lineno": 3,
        "context_line": secret,
        "pre_context": [secret],
        "vars": {"password": secret, "x": {"deep": [secret]}},
    }
    trace = {"trace_id": secret, "span_id": secret, "op": secret, "data": {"mcp.request.argument.x": secret}}
    return {
        "event_id": "a" * 32,
        "type": "transaction",
        "level": secret,
        "message": secret,
        "logger": secret,
        "transaction": secret,
        "server_name": secret,
        "release": secret,
        "environment": secret,
        "dist": secret,
        "culprit": secret,
        "logentry": {"message": secret, "formatted": secret, "params": [secret]},
        "exception": {
            "values": [
                {"type": secret, "module": secret, "value": secret, "stacktrace": {"frames": [frame]}, "x": secret},
                secret,
            ]
        },
        "threads": {"values": [{"stacktrace": {"frames": [frame]}}]},
        "breadcrumbs": {
            "values": [{"category": secret, "message": secret, "type": secret, "data": {"status": secret, "q": secret}}]
        },
        "request": {
            "url": secret,
            "query_string": secret,
            "headers": {"Authorization": secret},
            "cookies": secret,
            "data": {"arguments": secret},
            "env": {"REMOTE_ADDR": secret},
        },
        "user": {"id": secret, "email": secret, "ip_address": secret, "username": secret},
        "tags": {"request_id": secret, "tool": secret, "event": secret, "endpoint": secret, "anything": secret},
        "contexts": {"trace": trace, "runtime": {"name": secret}, "mcp": {"arguments": secret}},
        "extra": {"sys.argv": [secret], "body": secret},
        "modules": {secret: secret},
        "spans": [{**trace, "description": secret, "tags": {"status": secret}, "data": {"db.statement": secret}}],
        "sdk": {"name": secret, "version": secret, "integrations": [secret], "packages": [{"name": secret}]},
        "_meta": {"": {"rem": [[secret]]}},
        "attachments": [secret],
        "unknown": secret,
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_passes_at_no_place_of_an_event(secret: str) -> None:
    passed = scrub(planted(secret), {"exc_info": secret})
    assert secret not in str(passed)
    assert passed["event_id"] == "a" * 32
    assert passed["exception"]["values"][0]["stacktrace"]["frames"][0]["lineno"] == 3


@pytest.mark.parametrize("wrong", [None, 1, "x", [], [1], {"values": 1}, {"values": [None, 1, "x"]}, {1: 2}])
def test_what_has_another_form_than_expected_is_left_out(wrong: Any) -> None:
    event = dict.fromkeys(planted("x"), wrong)
    for part in scrub(event).values():
        assert part in ({}, {"values": []}, "x", 1, []), part


@seeded
@given(
    some.recursive(
        some.none() | some.booleans() | some.text() | some.integers(),
        lambda inner: some.lists(inner) | some.dictionaries(some.sampled_from(sorted(planted("x"))), inner),
        max_leaves=30,
    )
)
def test_no_form_of_an_event_is_too_much_for_the_gate(value: Any) -> None:
    passed = scrub({"exception": value, "breadcrumbs": value, "tags": value, "spans": value, "contexts": value})
    assert isinstance(passed, dict)


@pytest.mark.parametrize("rule", [WORD, PLACE, FUNCTION, METHOD, STEP, STATUS])
def test_no_sentence_address_or_number_fits_a_shape(rule: Any) -> None:
    assert [secret for secret in SECRETS if rule(secret) not in (None, REDACTED)] == []


def test_what_looks_drawn_at_random_is_redacted_although_it_fits() -> None:
    assert WORD(SECRETS[1]) == REDACTED
    assert WORD("server.x4eC39HqLyjWDarjtT1zdp7dc.y") == REDACTED
    assert WORD("a" * 201) is None


def test_the_server_s_own_words_pass_as_they_are() -> None:
    for tool in ALL:
        assert WORD(tool.name) == STEP(tool.name) == tool.name
    for word in ("GET /orders/{id}", "POST /batch-orders/add-note", "SELECT", "BEGIN"):
        assert STEP(word) == word
    for word in ("_LoopBoundMixin.<locals>.<lambda>", "Registry._run", "<module>"):
        assert FUNCTION(word) == word
    assert STATUS("404") == "404"
    assert STATUS("ReadTimeout") == "ReadTimeout"
    assert PLACE("library.log uvicorn.error") == "library.log uvicorn.error"


@pytest.mark.parametrize(
    ("given_id", "passes"),
    [
        ("0123456789abcdef", True),
        ("0b7c1d8e-1f2a-4b3c-8d4e-5f6a7b8c9d0e", True),
        ("0b7c1d8e1f2a4b3c8d4e5f6a7b8c9d0e", False),  # as likely a key as a request's id
        ("order-1001-of-mary", False),
        ("K3yOfAStoreThatSomebodySent1", False),
    ],
)
def test_a_request_s_id_passes_where_it_can_be_nothing_else(given_id: str, *, passes: bool) -> None:
    assert ("request_id" in scrub({"tags": {"request_id": given_id}})["tags"]) is passes


def test_an_exception_s_text_passes_only_in_the_system_s_own_words() -> None:
    def value(said: str) -> Any:
        return scrub({"exception": {"values": [{"type": "E", "value": said}]}})["exception"]["values"][0].get("value")

    assert value("Connection refused") == "Connection refused"
    assert value("SQLITE_READONLY_DBMOVED") == "SQLITE_READONLY_DBMOVED"
    assert value("cannot read Mary's order") is None


def test_no_field_of_an_event_is_named_like_a_secret() -> None:
    assert EVENT(dict.fromkeys(SECRET_NAMES, "word")) == {}
    assert scrub({"tags": dict.fromkeys(SECRET_NAMES, "word")}) == {"tags": {}}
