import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.config import Configuration, ConfigurationError, load
from harness.targets import LocalTarget, RunningTarget, open_target
from harness.targets.open import UnreachableError


def configure(folder: Path, url: str, more: str = "") -> Configuration:
    path = folder / "ops.toml"
    path.write_text(f'[targets.staging]\nurl = "{url}"\ntoken_env = "STAGING_TOKEN"\n{more}')
    return load(path)


def open_staging(configuration: Configuration, environ: Mapping[str, str], name: str = "staging") -> RunningTarget:
    with open_target(name, configuration, logs=configuration.path.parent / "logs", environ=environ) as target:
        return target


def test_a_remote_target_is_opened_with_the_token_that_its_variable_holds(
    tmp_path: Path, local_target: LocalTarget
) -> None:
    configuration = configure(tmp_path, local_target.url, 'production = true\nstore = "20101"')
    target = open_staging(configuration, {"STAGING_TOKEN": str(local_target.token)})
    assert not isinstance(target, LocalTarget)
    assert (target.target.name, target.target.production, target.store) == ("staging", True, "20101")
    assert target.target.release == local_target.target.release
    with target.connect() as client:
        assert not client.call_tool("stores_list").is_error


def test_a_missing_variable_is_a_matter_of_configuration(tmp_path: Path, local_target: LocalTarget) -> None:
    with pytest.raises(ConfigurationError, match="STAGING_TOKEN is not set"):
        open_staging(configure(tmp_path, local_target.url), {})


def test_an_unknown_target_is_a_matter_of_configuration(tmp_path: Path, local_target: LocalTarget) -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean staging\?"):
        open_staging(configure(tmp_path, local_target.url), {}, name="stagng")


def test_a_refused_token_and_a_closed_port_are_told_apart(tmp_path: Path, local_target: LocalTarget) -> None:
    with pytest.raises(UnreachableError, match=r"^target staging refuses the token: [^\n]+$"):
        open_staging(configure(tmp_path, local_target.url), {"STAGING_TOKEN": "wrong.key"})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"^target staging cannot be reached: [^\n]+$"):
        open_staging(configure(tmp_path, f"http://127.0.0.1:{port}/mcp"), {"STAGING_TOKEN": "any.key"})


def test_a_page_that_is_no_mcp_server_cannot_be_reached(tmp_path: Path, local_target: LocalTarget) -> None:
    with pytest.raises(UnreachableError, match=r"HTTP 40\d"):
        open_staging(configure(tmp_path, f"{local_target.base_url}/health"), {"STAGING_TOKEN": "any.key"})
