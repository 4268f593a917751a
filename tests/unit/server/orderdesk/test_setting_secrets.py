from typing import Any

import pytest

from server.orderdesk.redaction import is_secret_name, without_secrets

SECRET = "hunter2"


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "API_KEY", "apiKey", "key", "smtp_password", "SmtpPassword", "passwd", "pass", "pwd", "secret"),
        *("client_secret", "token", "accessToken", "credentials", "auth", "authorization", "oauth2", "private_pem"),
        *("session_id", "cookie", "webhook_url", "signature", "pin", "card_pin", "pinCode", "jwt", "password_hash"),
    ],
)
def test_a_member_whose_name_looks_like_a_secret_is_dropped_wherever_it_is(name: str) -> None:
    assert is_secret_name(name)
    settings = {"timezone": "UTC", name: SECRET, "mail": {name: SECRET, "host": "x"}, "many": [{name: [SECRET]}]}
    assert without_secrets(settings) == {"timezone": "UTC", "mail": {"host": "x"}, "many": [{}]}


@pytest.mark.parametrize(
    "name",
    ["timezone", "store_email", "shipping", "shippingMethod", "currency", "name", "id", "opinion", "weight_unit", "21"],
)
def test_what_does_not_look_like_a_secret_stays(name: str) -> None:
    settings = {name: "x", "more": {name: [1, None, {"a": True}]}}
    assert without_secrets(settings) == settings


@pytest.mark.parametrize(
    "settings",
    [
        {"settings": [{"name": "smtp_password", "value": SECRET}, {"setting": "apiKey", "val": SECRET}]},
        {"settings": [{"key": "smtp_password", "value": SECRET}]},
        {"feed": f"ftp://shop:{SECRET}@ftp.example.com/in"},
        {"feeds": [f"https://:{SECRET}@example.com"]},
        {"callback": f"https://example.com/in?shop=1&access_token={SECRET}"},
        {"plugin": f'{{"host": "x", "smtp_password": "{SECRET}"}}'},
        {"plugins": [f'[{{"deep": {{"apiKey": "{SECRET}"}}}}]']},
    ],
    ids=str,
)
def test_a_secret_that_is_written_in_another_way_is_dropped_too(settings: dict[str, Any]) -> None:
    assert SECRET not in str(without_secrets(settings))


def test_harmless_addresses_and_texts_stay_as_they_are() -> None:
    settings = {
        "site": "https://example.com/?page=2",
        "store_email": "a@example.com",
        "note": "{not JSON",
        "layout": '{"columns": 2}',
        "pair": {"name": "timezone", "value": "UTC"},
        "empty": [],
        "folders": {"21000": "Keys"},
    }
    assert without_secrets(settings) == settings


def test_the_settings_given_are_not_altered() -> None:
    settings = {"a": {"token": "x", "b": [{"key": "x"}]}}
    without_secrets(settings)
    assert settings == {"a": {"token": "x", "b": [{"key": "x"}]}}
