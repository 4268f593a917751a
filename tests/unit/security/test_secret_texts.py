"""A secret is known in an answer in whatever form; a member by its name, where what it holds may be one."""

import base64
import json

import pytest

from security.probe.isolation.secret_texts import is_named, named, told

SECRET = "Kettle-41/copper"


@pytest.mark.parametrize(
    "text",
    [
        f"label: {SECRET}",
        SECRET.upper(),
        f"Basic {base64.b64encode(SECRET.encode()).decode()}",
        SECRET.encode().hex(),
    ],
)
def test_a_secret_is_found_however_it_is_written(text: str) -> None:
    assert told(text, {"the key": SECRET, "another": "nowhere-to-be-found"}) == ["the key"]


@pytest.mark.parametrize("text", ["", "Kettle", "copper", "Kett…pper"])
def test_what_is_masked_or_too_short_to_tell_is_no_finding(text: str) -> None:
    assert told(text, {"the key": SECRET, "nothing": "", "short": "op"}) == []


@pytest.mark.parametrize(
    "name", ["api_key", "apiKey", "x-api-key", "token", "accessToken", "store_password", "client_secret", "private_key"]
)
def test_members_that_hold_secrets_are_known_by_their_names(name: str) -> None:
    assert named(json.dumps({"stores": [{name: SECRET}]})) == [name]


@pytest.mark.parametrize("name", ["idempotency_key", "next_page_token", "public_key", "key", "secretary", "csrf_token"])
def test_other_names_are_none(name: str) -> None:
    assert not is_named(name)


@pytest.mark.parametrize(
    "value", ["", "required", "ab***********", "[redacted]", "(hidden)", "<your key>", "sk-4…9f2a", True, None, 41]
)
def test_what_is_masked_or_a_word_is_no_secret(value: object) -> None:
    assert named(json.dumps({"api_key": value})) == []


def test_an_answer_that_is_no_json_has_no_members() -> None:
    assert named("api_key: whatever") == []
