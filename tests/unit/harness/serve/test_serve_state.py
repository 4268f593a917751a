import json
import shlex
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.serve import Options, parse_options
from harness.serve.clients import describe_clients
from harness.serve.state import load_state, save_state, state_path


def test_what_was_saved_is_found_again_and_is_for_the_owner_alone(tmp_path: Path) -> None:
    path = state_path(tmp_path, None)
    first = load_state(path)
    assert path.stat().st_mode & 0o777 == 0o600
    save_state(path, first.model_copy(update={"tenant_key": "id.secret"}))
    again = load_state(path)
    assert (again.master_key, again.tenant_key) == (first.master_key, "id.secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(again)


def test_each_database_has_a_state_of_its_own_that_does_not_show_its_address(tmp_path: Path) -> None:
    paths = {state_path(tmp_path, url) for url in (None, "postgresql://user:pw@h/a", "postgresql://user:pw@h/b")}
    assert len(paths) == 3
    assert not any("pw" in path.name for path in paths)


def test_a_damaged_state_is_neither_used_nor_replaced(tmp_path: Path) -> None:
    path = tmp_path / "serve.json"
    path.write_text('{"master_key": "only half"}')
    with pytest.raises(UsageError, match=r"serve\.json is damaged"):
        load_state(path)
    assert path.read_text() == '{"master_key": "only half"}'


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"serve\.json cannot be written: No such file or directory$"):
        load_state(tmp_path / "gone" / "serve.json")


def test_options_are_read_from_text() -> None:
    read = parse_options(port="0", orders="100000", database="", fresh=True, toolsets="")
    assert read == Options(port=0, orders=100_000, database=None, fresh=True, toolsets=None)
    assert parse_options(port="0", orders="1", database="", fresh=True, toolsets="all").toolsets == "all"


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.5", "1e3", "65536", "٣", "9" * 5000])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--port must be a whole number from 0 to 65535, not "):
        parse_options(port=text, orders="1", database="", fresh=False, toolsets="")


def test_the_configurations_can_be_pasted() -> None:
    text = describe_clients("http://127.0.0.1:8080/mcp", "id.se-cret")
    first, second = (json.loads("{" + part.split("\n}\n")[0] + "\n}") for part in text.split("\n{")[1:])
    assert first["mcpServers"]["quartermaster"]["headers"] == {"Authorization": "Bearer id.se-cret"}
    assert second["mcpServers"]["quartermaster"]["env"] == {"AUTHORIZATION": "Bearer id.se-cret"}
    (command,) = [line for line in text.splitlines() if line.startswith("claude ")]
    assert shlex.split(command)[-1] == "Authorization: Bearer id.se-cret"
