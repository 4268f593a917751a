"""Every block of the client guide is what its client requires: configurations, command lines and programs."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.node import find_node
from harness.serve.clients import describe_clients
from tests.integration.clients.guide import Block, blocks

HTTP_CLIENTS = {"Claude Code", "Cursor", "VS Code"}
SERVERS = {"Claude Code": "mcpServers", "Claude Desktop": "mcpServers", "Cursor": "mcpServers", "VS Code": "servers"}
BEARER = re.compile(r"Bearer (KEY|\$\{(env:|input:)?[A-Za-z_-]+\}|\$QUARTERMASTER_KEY)\Z")
URL = re.compile(r"https://[a-z.]+/mcp\Z")
STDIO_VARIABLES = {"PYTHONPATH", "DATABASE_URL", "MASTER_KEY_FILE", "TENANT_KEY_FILE"}
PIN = Path(__file__).parents[2] / "integration" / "clients" / "node" / "package.json"


def of(language: str) -> list[Block]:
    return [block for block in blocks() if block.language == language]


def check_configuration(block: Block) -> None:
    """What a client requires: its one server in the right place, with a URL and the header, or with a command."""
    configuration = json.loads(block.text)
    (place,) = configuration.keys() - {"inputs"}
    assert place == SERVERS.get(block.section, place)
    (entry,) = configuration[place].values()
    if "url" in entry:
        assert block.section in HTTP_CLIENTS
        assert entry.keys() <= {"type", "url", "headers", "timeout"}
        assert URL.match(entry["url"])
        assert BEARER.match(entry["headers"]["Authorization"])
        # Claude Code and VS Code take an entry without a type for a program to start.
        assert block.section == "Cursor" or entry.get("type") == "http"
        return
    assert entry.keys() <= {"type", "command", "args", "env"}
    if entry["command"] == "npx":
        assert entry["args"][:2] == ["-y", "mcp-remote"]
        assert URL.match(entry["args"][2])
        assert entry["args"][3:] == ["--header", "Authorization:${AUTHORIZATION}"]
        assert BEARER.match(entry["env"]["AUTHORIZATION"])
        assert not any(" " in argument for argument in entry["args"])
        return
    assert entry["args"] == ["-P", "-m", "server", "stdio"]
    assert entry["env"].keys() == STDIO_VARIABLES
    # A client starts it in whatever directory it likes.
    assert all(value.removeprefix("sqlite:///").startswith("/") for value in (*entry["env"].values(), entry["command"]))


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_every_configuration_has_what_its_client_requires(block: Block) -> None:
    check_configuration(block)
    inputs = {given["id"] for given in json.loads(block.text).get("inputs", [])}
    assert set(re.findall(r"\$\{input:([^}]+)\}", block.text)) == inputs


def test_the_guide_has_each_way_to_connect() -> None:
    sections = {block.section for block in of("json")}
    assert sections == {*SERVERS, "Over stdio"}
    assert {block.section for block in blocks()} - sections == {
        "mcp-remote",
        "Inspector",
        "Python SDK",
        "TypeScript SDK",
        "FastMCP",
    }


@pytest.mark.parametrize("block", of("shell"), ids=str)
def test_every_command_line_names_a_real_command_and_the_pinned_version(block: Block) -> None:
    pinned = json.loads(PIN.read_text())["dependencies"]
    for line in block.text.splitlines():
        words = shlex.split(line)
        if words[0] == "claude":
            assert words[:6] == ["claude", "mcp", "add", "--transport", "http", "quartermaster"]
            address, header = words[6], words[7:]
        else:
            assert words[:2] == ["npx", "-y"]
            name, _, version = words[2].rpartition("@") if words[2].startswith("@") else (words[2], "", "")
            assert not version or version == pinned[name]
            assert name in pinned
            if len(words) == 3:  # the Inspector in the browser asks for the rest
                continue
            rest = [word for word in words[3:] if word != "--cli"]
            address, header = rest[0], rest[rest.index("--header") :][:2]
        assert URL.match(address) or address == "$QUARTERMASTER_URL"
        assert header[0] == "--header"
        assert header[1].startswith("Authorization: ")
        assert BEARER.match(header[1].removeprefix("Authorization: "))


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_every_python_program_compiles(block: Block) -> None:
    compile(block.text, block.section, "exec")
    read = {
        node.slice.value
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "os.environ"
        and isinstance(node.slice, ast.Constant)
    }
    assert read == {"QUARTERMASTER_URL", "QUARTERMASTER_KEY"}


@pytest.mark.parametrize("block", of("typescript"), ids=str)
def test_every_typescript_program_parses(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "program.mjs"
    program.write_text(block.text)
    checked = subprocess.run(find_node().run("--check", str(program)), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


KEYED = {"url": "https://a.b/mcp", "headers": {"Authorization": "Bearer KEY"}}


@pytest.mark.parametrize(
    ("section", "place", "entry"),
    [
        ("Cursor", "mcpServers", {**KEYED, "url": "https://a.b/"}),
        ("Cursor", "mcpServers", {**KEYED, "headers": {"Authorization": "KEY"}}),
        ("Claude Code", "mcpServers", KEYED),
        ("Claude Desktop", "mcpServers", {**KEYED, "type": "http"}),
        ("VS Code", "mcpServers", {**KEYED, "type": "http"}),
        ("Over stdio", "mcpServers", {"command": "python", "args": ["-m", "server", "stdio"], "env": {}}),
    ],
)
def test_a_configuration_that_its_client_would_refuse_is_found(
    section: str, place: str, entry: Mapping[str, Any]
) -> None:
    block = Block(section, "json", json.dumps({place: {"quartermaster": entry}}))
    with pytest.raises(AssertionError):
        check_configuration(block)


def test_what_serve_prints_is_what_the_guide_shows() -> None:
    printed = describe_clients("https://mcp.example.com/mcp", "KEY")
    shown = {block.section: block.text for block in reversed(blocks())}
    command = next(line for line in printed.splitlines() if line.startswith("claude "))
    assert shlex.split(command) == shlex.split(shown["Claude Code"])
    assert json.loads(shown["Claude Desktop"]) == json.loads(printed[printed.rindex('{\n  "mcpServers"') :])
