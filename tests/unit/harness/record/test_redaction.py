"""Secrets do not get into records, wherever they come from."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.record import dump_record, parse_record
from harness.redaction import clean_text, redact_arguments

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    "name", ["token", "api_key", "apiKey", "MASTER_KEY", "admin-token", "password", "db_password", "Authorization"]
)
def test_values_whose_name_is_a_secret_s_are_redacted(name: str) -> None:
    assert redact_arguments({"outer": [{name: SECRET}]}) == {"outer": [{name: "[redacted]"}]}


@pytest.mark.parametrize("name", ["token_env", "master_key_file", "token_variable", "keyboard", "monkey", "speed"])
def test_names_of_places_and_ordinary_words_are_kept(name: str) -> None:
    assert redact_arguments({name: "a/b"}) == {name: "a/b"}


@pytest.mark.parametrize(
    "text",
    [
        f"http://user:{SECRET}@host/path",
        f"GET http://host/mcp?token={SECRET}&x=1 failed",
        f"http://host/?x=1&api_key={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"sent authorization=basic {SECRET}==",
    ],
)
def test_credentials_inside_text_are_redacted_once(text: str) -> None:
    cleaned = clean_text(text)
    assert SECRET not in cleaned
    assert "[redacted]" in cleaned
    assert clean_text(cleaned) == cleaned


def test_ordinary_text_is_left_alone() -> None:
    text = "bearer of bad news\tat http://host/a?page=2\nüñí"
    assert clean_text(text) == text


def test_control_characters_and_lone_surrogates_are_replaced() -> None:
    assert "\x1b" not in clean_text("\x1b[31m\x00\x9b")
    clean_text("\ud800").encode()


def test_a_record_has_no_secret_anywhere(record_fields: Callable[..., dict[str, Any]]) -> None:
    url = f"http://u:{SECRET}@h/mcp?token={SECRET}"
    finding = {"fingerprint": "f", "rule": url, "message": url, "location": url, "references": [url]}
    check = {
        "id": "a", "title": url, "status": "failed", "reason": url, "examined": 1, "evidence": [url],
        "findings": [finding],
    }  # fmt: skip
    fields = record_fields(
        status="failed",
        exit_code=1,
        target={"name": "x", "url": url},
        arguments={"url": url, "token": SECRET, "words": [f"Bearer {SECRET}"]},
        checks=[check],
    )
    record = parse_record(json.dumps(fields))
    assert SECRET not in dump_record(record).decode()
    assert SECRET not in repr(record)
