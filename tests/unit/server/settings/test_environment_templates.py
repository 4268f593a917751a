import base64
import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from server.environments import ENVIRONMENTS, RECOMMENDED, SECTIONS, in_environment, recommended
from server.reference.template import template
from server.settings import SECRET_SETTINGS, Environment, Settings, SettingsError, file_variable

SECRETS = {name: hashlib.sha256(name.encode()).digest() for name in ("MASTER_KEY", "ADMIN_TOKEN", "TENANT_KEY")}


def parsed(text: str) -> dict[str, str]:
    """As docker reads it: what follows the first equals sign, whatever it is."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [line.partition("=")[::2] for line in lines]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def with_secrets(values: dict[str, str], folder: Path) -> dict[str, str]:
    """The template as an operator completes it: secrets in the place that it leaves for them."""
    filled = dict(values)
    for name, secret in SECRETS.items():
        text = base64.urlsafe_b64encode(secret).decode().rstrip("=")
        if f"{name}_FILE" in filled:
            path = folder / name
            path.touch(0o600)
            path.write_text(text + "\n")
            filled[f"{name}_FILE"] = str(path)
        else:
            filled[name] = text
    return filled


def committed(environment: Environment) -> str:
    return (REPOSITORY / "deploy/env" / f".env.{environment}").read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_template_loads_once_its_secrets_are_filled_in(environment: Environment, tmp_path: Path) -> None:
    values = parsed(committed(environment))
    assert [value for name, value in values.items() if name.removesuffix("_FILE").lower() in SECRET_SETTINGS] == [
        ""
    ] * len(SECRET_SETTINGS)
    settings = Settings.load(with_secrets(values, tmp_path))
    assert settings.environment == environment
    for name in set(Settings.model_fields) - set(SECRET_SETTINGS):
        assert in_environment(getattr(settings, name)) == recommended(name, environment)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_template_sets_every_setting_under_a_comment(environment: Environment) -> None:
    text = committed(environment)
    names = {name.removesuffix("_FILE").lower() for name in parsed(text)}
    assert names == set(Settings.model_fields)
    for block in re.split(r"\n\n", text)[1:]:
        *comments, _last = block.splitlines()
        assert comments == [] or len(comments) >= 2
        assert all(line.startswith("# ") for line in comments)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_shell_reads_a_template_as_docker_and_systemd_do(environment: Environment, tmp_path: Path) -> None:
    file = tmp_path / "template"
    file.write_text(template(environment))
    shell = subprocess.run(
        ["/bin/sh", "-c", 'set -a; . "$1"; set +a; env -0', "sh", str(file)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    seen = dict(entry.partition("=")[::2] for entry in shell.stdout.decode().split("\0") if entry)
    values = parsed(template(environment))
    assert {name: seen[name] for name in values} == values
    # What systemd and docker would read otherwise than a shell does: quotes, blanks, escapes, substitutions.
    assert not any(re.search(r"""[\s"'\\$`#;&|<>()*?~]""", value) for value in values.values())


def test_a_template_that_was_not_completed_is_refused_with_what_is_missing() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(parsed(committed("production")))
    assert sorted(problem.partition(":")[0] for problem in refused.value.problems) == ["ADMIN_TOKEN", "MASTER_KEY"]


def test_every_setting_stands_in_one_section() -> None:
    names = [name for section in SECTIONS.values() for name in section]
    assert sorted(names) == sorted(Settings.model_fields)


def test_recommendations_are_for_settings_and_differ_from_their_defaults() -> None:
    assert set(RECOMMENDED) <= set(Settings.model_fields) - set(SECRET_SETTINGS)
    for name in set(RECOMMENDED) - {"environment"}:
        values = {recommended(name, environment) for environment in ENVIRONMENTS}
        assert len(values) > 1, name


def test_a_secrets_file_variable_is_named_after_it() -> None:
    assert file_variable("master_key") == "MASTER_KEY_FILE"
