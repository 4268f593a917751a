import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from server.rules import GENERAL, PRODUCTION
from server.settings import Settings, SettingsError
from server.tenancy.keys import TenantKey


def encoded(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def drawn(seed: str) -> bytes:
    return hashlib.sha256(seed.encode()).digest()


FIRST, SECOND = drawn("first"), drawn("second")
PRODUCTION_ENVIRONMENT = {
    "ENVIRONMENT": "production",
    "MASTER_KEY": encoded(FIRST),
    "ADMIN_TOKEN": encoded(drawn("admin")),
    "ALLOWED_HOSTS": "mcp.example.com",
    "DATABASE_URL": "sqlite:////var/lib/quartermaster/app.db",
}


def refused(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as error:
        Settings.load(environ)
    return sorted(problem.partition(":")[0] for problem in error.value.problems)


@pytest.mark.parametrize("separator", [" ", ",", "\n", " , \n"])
def test_a_master_key_may_be_several_of_which_the_first_comes_first(separator: str) -> None:
    settings = Settings.load({"MASTER_KEY": encoded(FIRST) + separator + encoded(SECOND)})
    assert settings.master_keys_bytes == (FIRST, SECOND)


def test_every_one_of_several_master_keys_must_be_one() -> None:
    assert refused({"MASTER_KEY": encoded(FIRST) + " short"}) == ["MASTER_KEY"]


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
@pytest.mark.parametrize(
    ("name", "value", "blamed"),
    [
        ("DRAIN_SECONDS", "45", ["DRAIN_SECONDS"]),
        ("STOP_TIMEOUT_SECONDS", "50", ["STOP_TIMEOUT_SECONDS"]),
        ("PROXY_TIMEOUT_SECONDS", "45", ["PROXY_TIMEOUT_SECONDS"]),
        ("CLIENT_TIMEOUT_SECONDS", "50", ["CLIENT_TIMEOUT_SECONDS"]),
        ("CALL_DEADLINE_SECONDS", "60", ["DRAIN_SECONDS", "PROXY_TIMEOUT_SECONDS"]),
        ("DRAIN_SECONDS", "80", ["STOP_TIMEOUT_SECONDS"]),
    ],
)
def test_a_time_out_that_is_too_short_for_its_place_is_refused_everywhere(
    environment: str, name: str, value: str, blamed: list[str]
) -> None:
    assert refused({**PRODUCTION_ENVIRONMENT, "ENVIRONMENT": environment, name: value}) == blamed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOOLSETS", "orders,bills"),
        ("TOOLSETS", " , "),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://app.example.com/path"),
        ("ALLOWED_ORIGINS", "app.example.com"),
        ("ALLOWED_ORIGINS", "null"),
        ("ALLOWED_HOSTS", "*"),
        ("DESTRUCTIVE_CAP_PER_HOUR", "0"),
        ("WRITE_RETENTION_DAYS", "0"),
    ],
)
def test_a_value_without_a_meaning_is_refused(name: str, value: str) -> None:
    assert refused({"MASTER_KEY": encoded(FIRST), name: value}) == [name]


def test_toolsets_and_origins_that_exist_are_taken() -> None:
    settings = Settings.load(
        {
            "MASTER_KEY": encoded(FIRST),
            "TOOLSETS": "tenant, inventory",
            "ALLOWED_ORIGINS": "https://a.example:8443,vscode://x",
        }
    )
    assert settings.toolsets == ("tenant", "inventory")
    assert settings.allowed_origins == ("https://a.example:8443", "vscode://x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMIT_RPM", "10001"),
        ("DESTRUCTIVE_CAP_PER_HOUR", "10001"),
        ("WRONG_KEYS_PER_MINUTE", "1001"),
        ("DISK_RESERVE_BYTES", "0"),
        ("DATABASE_URL", "sqlite:///data/app.db"),
        ("ALLOWED_ORIGINS", "http://app.example.com"),
        pytest.param("MASTER_KEY", encoded(bytes(32)), id="zeros"),
        pytest.param("MASTER_KEY", encoded(b"\xa5" * 32), id="one byte"),
        pytest.param("MASTER_KEY", encoded(bytes(range(32))), id="counted up"),
        pytest.param("MASTER_KEY", encoded(b"abcdefgh" * 4), id="repeated"),
        pytest.param("MASTER_KEY", encoded(b"the quick brown fox jumps, again"), id="a text"),
        pytest.param("MASTER_KEY", "Example-" + encoded(FIRST)[8:], id="an example"),
        pytest.param("MASTER_KEY", encoded(FIRST) + "," + encoded(bytes(32)), id="the second"),
        pytest.param("ADMIN_TOKEN", "changeme-" * 5, id="a word repeated"),
        pytest.param("ADMIN_TOKEN", "changeme-" + encoded(FIRST), id="an example's word"),
        pytest.param("ADMIN_TOKEN", "x" * 43, id="one character"),
        pytest.param("ADMIN_TOKEN", "qwertzuiop" * 4, id="a row of keys repeated"),
        pytest.param("ADMIN_TOKEN", "abcdefghijklmnopqrstuvwxyz0123456789", id="characters counted up"),
        pytest.param("ADMIN_TOKEN", encoded(FIRST), id="the master key"),
        pytest.param("ADMIN_TOKEN", encoded(FIRST) + "=", id="the master key, padded"),
        ("TENANT_KEY", "qm_your-key"),
        ("ALLOWED_HOSTS", "mcp.example.com,0.0.0.0"),
        ("ALLOWED_HOSTS", "mcp.example.com,[::]"),
        ("ALLOWED_HOSTS", "mcp.example.com,.example.com"),
        ("ALLOWED_HOSTS", "mcp.example.com,_"),
        ("ALLOWED_HOSTS", "127.0.0.2,[0:0::1],LOCALHOST."),
        ("SENTRY_DSN", "http://key@sentry.example.com/1"),
    ],
)
def test_production_refuses_what_other_environments_allow(name: str, value: str) -> None:
    assert refused({**PRODUCTION_ENVIRONMENT, name: value}) == [name]
    for environment in ("development", "staging"):
        Settings.load({**PRODUCTION_ENVIRONMENT, "ENVIRONMENT": environment, name: value})


def test_production_takes_drawn_keys_and_pages_on_loopback() -> None:
    for number in range(1_000):
        Settings.load({**PRODUCTION_ENVIRONMENT, "MASTER_KEY": encoded(drawn(str(number)))})
        Settings.load({**PRODUCTION_ENVIRONMENT, "ADMIN_TOKEN": drawn(str(number)).hex()[:32]})
        Settings.load({**PRODUCTION_ENVIRONMENT, "TENANT_KEY": str(TenantKey.generate())})
    Settings.load({**PRODUCTION_ENVIRONMENT, "ALLOWED_ORIGINS": "http://localhost:6274,http://127.0.0.1"})


@pytest.mark.parametrize(
    "dsn",
    [
        "https://key@o1.ingest.sentry.example/2",
        "https://key:old@sentry.example:8443/deep/er/2",
        "http://key@127.0.0.1:9000/2",
        "http://key@[::1]:9000/2",
    ],
)
def test_a_dsn_as_sentry_shows_it_is_taken(dsn: str) -> None:
    settings = Settings.load({**PRODUCTION_ENVIRONMENT, "SENTRY_DSN": dsn})
    assert dsn not in str(settings.public())


@pytest.mark.parametrize(
    "dsn",
    [
        "sentry.example/2",
        "https://sentry.example/2",
        "https://key@sentry.example",
        "https://key@sentry.example/name",
        "https://key@sentry.example/2?x=1",
        "ftp://key@sentry.example/2",
        "https://ke y@sentry.example/2",
        "https://key@sentry.example/2\n",
    ],
)
def test_what_is_no_dsn_is_refused_without_being_shown(dsn: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.load({**PRODUCTION_ENVIRONMENT, "SENTRY_DSN": dsn})
    assert [problem.partition(":")[0] for problem in error.value.problems] == ["SENTRY_DSN"]
    assert dsn not in str(error.value)


@pytest.mark.parametrize("name", ["MASTER_KEY", "ADMIN_TOKEN", "TENANT_KEY"])
def test_production_refuses_a_secret_that_every_user_can_read(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(PRODUCTION_ENVIRONMENT.get(name, str(TenantKey.generate())))
    environ = {**PRODUCTION_ENVIRONMENT, name: "", f"{name}_FILE": str(file)}
    file.chmod(0o644)
    assert refused(environ) == [f"{name}_FILE"]
    Settings.load({**environ, "ENVIRONMENT": "staging"})
    file.chmod(0o640)
    Settings.load(environ)


def test_a_secret_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    absent = {"MASTER_KEY": "", "MASTER_KEY_FILE": str(tmp_path / "absent")}
    assert refused({**PRODUCTION_ENVIRONMENT, **absent}) == ["MASTER_KEY_FILE"]


def test_production_tells_all_that_it_refuses_at_once() -> None:
    broken = {
        "QUERY_TOKEN_ENABLED": "true",
        "ADMIN_TOKEN": "",
        "MASTER_KEY": encoded(bytes(32)),
        "LOG_LEVEL": "debug",
        "ORDERDESK_BASE_URL": "http://app.orderdesk.me/api/v2",
        "ALLOWED_HOSTS": "localhost",
        "TENANT_KEY": "changeme",
        "ALLOWED_ORIGINS": "http://app.example.com",
        "DATABASE_URL": "sqlite:///app.db",
        "RATE_LIMIT_RPM": "1000000",
        "DESTRUCTIVE_CAP_PER_HOUR": "1000000",
        "DISK_RESERVE_BYTES": "1",
        "STATEMENT_LOG": "/tmp/statements.jsonl",
        "WRONG_KEYS_PER_MINUTE": "1000000",
        "SENTRY_DSN": "http://key@sentry.example.com/1",
    }
    assert refused({**PRODUCTION_ENVIRONMENT, **broken}) == sorted(broken)
    assert {rule.setting.upper() for rule in PRODUCTION} == set(broken)


@pytest.mark.parametrize("several", ["{0} {1}", "{1},{0}"])
def test_an_admin_token_that_is_any_of_the_master_keys_is_refused(several: str) -> None:
    keys = several.format(encoded(FIRST), encoded(SECOND))
    assert refused({**PRODUCTION_ENVIRONMENT, "MASTER_KEY": keys, "ADMIN_TOKEN": encoded(SECOND)}) == ["ADMIN_TOKEN"]


def test_a_host_that_stands_for_all_is_neither_public_nor_allowed() -> None:
    assert refused({**PRODUCTION_ENVIRONMENT, "ALLOWED_HOSTS": "0.0.0.0"}) == ["ALLOWED_HOSTS"] * 2
    Settings.load({**PRODUCTION_ENVIRONMENT, "ALLOWED_HOSTS": "10.0.0.1"})
    Settings.load({**PRODUCTION_ENVIRONMENT, "ALLOWED_HOSTS": "[2001:db8::1],localhost"})


def test_every_rule_is_about_a_setting_and_shows_no_text_that_may_hold_a_password() -> None:
    loaded = Settings.load({"MASTER_KEY": encoded(FIRST)})
    hidden: dict[str, Any] = {"database_url": "postgresql://u:hunter2@h/d", "orderdesk_base_url": "http://u:hunter2@h"}
    settings = loaded.model_copy(update=hidden)
    for rule in GENERAL + PRODUCTION:
        assert rule.setting in Settings.model_fields
        problem = rule.problem(settings)
        assert problem.startswith(f"{rule.setting.upper()}: ")
        assert "hunter2" not in problem
        assert encoded(FIRST) not in problem
