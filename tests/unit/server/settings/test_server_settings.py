import base64
import hashlib
import secrets
from pathlib import Path

import pytest

from server.settings import Settings, SettingsError


def encoded(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


DRAWN = hashlib.sha256(b"a key of these tests").digest()
KEY = encoded(DRAWN)
PRODUCTION = {
    "ENVIRONMENT": "production",
    "MASTER_KEY": KEY,
    "ADMIN_TOKEN": encoded(hashlib.sha256(b"admin").digest()),
    "ALLOWED_HOSTS": "mcp.example.com",
    "DATABASE_URL": "sqlite:////var/lib/quartermaster/app.db",
}


def problems_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        Settings.load(environ)
    return refused.value.problems


def named(problems: list[str]) -> list[str]:
    return sorted(problem.partition(":")[0] for problem in problems)


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings.load({"MASTER_KEY": KEY})
    assert settings.port == 8080
    assert settings.database_url == "sqlite:///data/app.db"
    assert settings.rate_limit_rpm == 120
    assert settings.http_timeout_seconds == 30
    assert settings.http_max_retries == 3
    assert settings.mutation_max_retries == 5
    assert settings.cache_ttl_orders_seconds == 15
    assert settings.cache_ttl_products_seconds == 60
    assert settings.cache_ttl_lists_seconds == 10
    assert settings.query_token_enabled is False
    assert settings.environment == "development"
    assert settings.master_keys_bytes == (DRAWN,)


def test_every_problem_is_told_at_once_fields_and_rules_alike() -> None:
    found = problems_of(
        {
            "ENVIRONMENT": "production",
            "PORT": "80808",
            "MASTER_KEY": "short",
            "RATE_LIMIT_RPM": "many",
            "DATABASE_URL": "postgresql://host/name",
            "QUERY_TOKEN_ENABLED": "true",
            "ADMIN_TOKEN": "guessable",
            "LOG_LEVEL": "debug",
            "ORDERDESK_BASE_URL": "http://upstream.example.com",
            "HTTP_TIMEOUT_SECONDS": "60",
            "CALL_DEADLINE_SECONDS": "50",
        }
    )
    assert named(found) == [
        "ADMIN_TOKEN",
        "ALLOWED_HOSTS",
        "DATABASE_URL",
        "DRAIN_SECONDS",
        "HTTP_TIMEOUT_SECONDS",
        "LOG_LEVEL",
        "MASTER_KEY",
        "ORDERDESK_BASE_URL",
        "PORT",
        "PROXY_TIMEOUT_SECONDS",
        "QUERY_TOKEN_ENABLED",
        "RATE_LIMIT_RPM",
    ]
    assert all("\n" not in problem for problem in found)


def test_a_missing_master_key_is_told_with_the_way_to_make_one() -> None:
    (problem,) = problems_of({})
    assert problem.startswith("MASTER_KEY: is required")
    assert "token_urlsafe(32)" in problem


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("unread", id="a word"),
        pytest.param(secrets.token_urlsafe(31), id="a byte short"),
        pytest.param(secrets.token_urlsafe(33), id="a byte long"),
        pytest.param("ü" * 43, id="not ASCII"),
        pytest.param("!" * 43, id="not base64"),
        pytest.param(KEY[:20] + " " + KEY[20:], id="with a blank"),
    ],
)
def test_a_master_key_is_exactly_32_bytes(key: str) -> None:
    found = problems_of({"MASTER_KEY": key})
    assert named(found) == ["MASTER_KEY"]
    assert key not in found[0]


def test_no_secret_stands_in_a_problem() -> None:
    for problem in problems_of({"MASTER_KEY": "s3cr3t-master", "PORT": "x", "ADMIN_TOKEN": "s3cr3t-admin"}):
        assert "s3cr3t" not in problem


@pytest.mark.parametrize("name", ["PORT", "MASTER_KEY_FILE", "ADMIN_TOKEN", "ALLOWED_HOSTS", "QUERY_TOKEN_ENABLED"])
def test_an_empty_variable_counts_as_unset(name: str) -> None:
    assert Settings.load({"MASTER_KEY": KEY, name: ""}) == Settings.load({"MASTER_KEY": KEY})


def test_an_empty_master_key_is_a_missing_one() -> None:
    (problem,) = problems_of({"MASTER_KEY": ""})
    assert problem.startswith("MASTER_KEY: is required")


def test_secrets_are_read_from_files_and_their_line_end_dropped(tmp_path: Path) -> None:
    (tmp_path / "master").write_text(KEY + "\n")
    (tmp_path / "admin").write_text("operator\n")
    settings = Settings.load({"MASTER_KEY_FILE": str(tmp_path / "master"), "ADMIN_TOKEN_FILE": str(tmp_path / "admin")})
    assert settings.master_keys_bytes == (DRAWN,)
    assert settings.admin_token is not None
    assert settings.admin_token.get_secret_value() == "operator"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "master").write_text(KEY)
    (problem,) = problems_of({"MASTER_KEY": KEY, "MASTER_KEY_FILE": str(tmp_path / "master")})
    assert problem.startswith("MASTER_KEY_FILE:")


def test_an_unreadable_secret_file_is_told_beside_the_other_problems(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    found = problems_of(
        {"MASTER_KEY_FILE": str(tmp_path / "absent"), "ADMIN_TOKEN_FILE": str(tmp_path / "binary"), "PORT": "x"}
    )
    assert named(found) == ["ADMIN_TOKEN_FILE", "MASTER_KEY_FILE", "PORT"]
    assert any("No such file" in problem for problem in found)


def test_an_empty_secret_file_is_no_master_key(tmp_path: Path) -> None:
    (tmp_path / "master").write_text("\n")
    assert named(problems_of({"MASTER_KEY_FILE": str(tmp_path / "master")})) == ["MASTER_KEY"]


def test_production_accepts_a_safe_configuration() -> None:
    assert Settings.load(PRODUCTION).environment == "production"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUERY_TOKEN_ENABLED", "true"),
        ("ADMIN_TOKEN", ""),
        ("ADMIN_TOKEN", "a" * 31),
        ("LOG_LEVEL", "debug"),
        ("ORDERDESK_BASE_URL", "http://app.orderdesk.me/api/v2"),
        ("ALLOWED_HOSTS", "localhost,127.0.0.1"),
    ],
)
def test_production_refuses_what_development_allows(name: str, value: str) -> None:
    assert named(problems_of({**PRODUCTION, name: value})) == [name]
    Settings.load({**PRODUCTION, "ENVIRONMENT": "development", name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://localhost/app"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///"),
        ("ORDERDESK_BASE_URL", "ftp://example.com"),
        ("ORDERDESK_BASE_URL", "https://example.com/api?x=1"),
        ("HTTP_TIMEOUT_SECONDS", "0"),
        ("HTTP_TIMEOUT_SECONDS", "nan"),
        ("CALL_DEADLINE_SECONDS", "inf"),
        ("RATE_LIMIT_RPM", "0"),
        ("RATE_LIMIT_RPM", "1.5"),
        ("LOG_LEVEL", "verbose"),
        ("ENVIRONMENT", "prod"),
        ("ALLOWED_HOSTS", " , "),
        ("MAX_JSON_DEPTH", "0"),
        ("CACHE_TTL_ORDERS_SECONDS", "-1"),
    ],
)
def test_a_value_that_would_silently_be_wrong_is_refused(name: str, value: str) -> None:
    assert named(problems_of({"MASTER_KEY": KEY, name: value})) == [name]


def test_comma_lists_ignore_blanks_and_empty_parts() -> None:
    settings = Settings.load({"MASTER_KEY": KEY, "ALLOWED_HOSTS": " a.example , b.example,,"})
    assert settings.allowed_hosts == ("a.example", "b.example")


def test_variables_of_other_programs_are_ignored() -> None:
    assert Settings.load({"MASTER_KEY": KEY, "PATH": "/bin", "FOO": "x"}) == Settings.load({"MASTER_KEY": KEY})


def test_what_is_shown_of_the_settings_holds_no_secret() -> None:
    shown = str(Settings.load({"MASTER_KEY": KEY, "ADMIN_TOKEN": "operator-token"}).public())
    assert KEY not in shown
    assert "operator-token" not in shown
    assert "rate_limit_rpm" in shown
