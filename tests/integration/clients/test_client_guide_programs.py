"""What the client guide shows does what it says: its programs, command lines and entries list orders as they stand."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.node import find_node
from harness.process import child_environment
from harness.repository import REPOSITORY
from harness.targets import LocalTarget
from harness.virtual_environment import prepare
from tests.integration.clients.guide import blocks, the_block
from tests.integration.clients.line_client import program

LIMIT = 5
PROGRAMS = {
    "mcp-remote": "mcp-remote/dist/proxy.js",
    "@modelcontextprotocol/inspector": "@modelcontextprotocol/inspector/clients/launcher/build/index.js",
}


def run(command: Sequence[str], target: LocalTarget, folder: Path) -> str:
    settings = {"QUARTERMASTER_URL": target.url, "QUARTERMASTER_KEY": str(target.token), "HOME": str(folder)}
    done = subprocess.run(
        command,
        env=child_environment(settings, os.environ),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def npx(words: Sequence[str], packages: Path) -> tuple[str, ...]:
    """`npx -y PACKAGE ARGUMENTS` with the package that is installed already."""
    assert words[:2] == ["npx", "-y"]
    name = next(name for name in PROGRAMS if words[2] == name or words[2].startswith(f"{name}@"))
    return find_node().run(str(packages / PROGRAMS[name]), *words[3:])


def newest_orders(target: LocalTarget) -> list[str]:
    with target.connect() as client:
        structured = client.call_tool("orders_list", {"limit": LIMIT}).structured
    return [str(order["id"]) for order in (structured or {})["orders"]]


def first_words(output: str) -> list[str]:
    return [line.split()[0] for line in output.splitlines()]


def test_the_python_program_lists_orders(target: LocalTarget, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(the_block("Python SDK", "python"))
    assert first_words(run((sys.executable, str(file)), target, tmp_path)) == newest_orders(target)


@pytest.mark.timeout(1500)
def test_the_fastmcp_program_lists_orders(target: LocalTarget, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(the_block("FastMCP", "python"))
    python = prepare(REPOSITORY, "peers", logs=tmp_path, environ=os.environ)
    assert first_words(run((str(python), str(file)), target, tmp_path)) == newest_orders(target)


@pytest.mark.timeout(900)
def test_the_typescript_program_lists_orders(target: LocalTarget, packages: Path, tmp_path: Path) -> None:
    file = tmp_path / "program.mjs"
    file.write_text(the_block("TypeScript SDK", "typescript"))
    (tmp_path / "node_modules").symlink_to(packages)
    assert first_words(run(find_node().run(str(file)), target, tmp_path)) == newest_orders(target)


@pytest.mark.timeout(900)
def test_the_inspectors_command_lines_list_tools_and_orders(
    target: LocalTarget, packages: Path, tmp_path: Path
) -> None:
    variables = {"$QUARTERMASTER_URL": target.url, "$QUARTERMASTER_KEY": str(target.token)}
    lines = shown_lines("Inspector", variables)[1:]  # the first opens a browser
    listed, called = (json.loads(run(npx(line, packages), target, tmp_path))["result"] for line in lines)
    assert "orders_list" in {tool["name"] for tool in listed["tools"]}
    assert [str(order["id"]) for order in called["structuredContent"]["orders"]] == newest_orders(target)


def shown_lines(section: str, variables: Mapping[str, str]) -> list[list[str]]:
    """The words of a section's command lines, in the order of the page."""
    text = "".join(block.text for block in blocks() if (block.section, block.language) == (section, "shell"))
    for name, value in variables.items():
        text = text.replace(name, value)
    return [shlex.split(line) for line in text.splitlines()]


@pytest.mark.timeout(900)
def test_claude_desktops_entry_lists_orders_through_mcp_remote(
    target: LocalTarget, packages: Path, tmp_path: Path
) -> None:
    shown = the_block("Claude Desktop", "json").replace("https://mcp.example.com/mcp", target.url)
    (entry,) = json.loads(shown.replace("KEY", str(target.token)))["mcpServers"].values()
    command = npx([entry["command"], *entry["args"]], packages)
    client = Path(__file__).with_name("sdk_program.py")
    over_stdio = (sys.executable, str(client), "legacy", "--", "/usr/bin/env", *variables_of(entry), *command)
    with program(over_stdio, tmp_path)("not used") as session:
        assert "orders_list" in {tool["name"] for tool in session.tools()}
        answer = session.call("orders_list", {"limit": LIMIT})
    assert answer.structured is not None
    assert [str(order["id"]) for order in answer.structured["orders"]] == newest_orders(target)


def variables_of(entry: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [f"{name}={value}" for name, value in entry["env"].items()]
