import ast
from collections import defaultdict
from pathlib import Path
from typing import Any

import mcp_types
import pytest

import server
import server.errors
from server.errors import ToolError
from server.protocol import authentication, dispatch
from server.reference.environments_page import environments_page
from server.reference.errors_page import ADVICE, codes, errors_page
from server.reference.refusals import HTTP, JSON_RPC
from server.reference.schema import default_of, limits_of, type_of
from server.reference.tools_page import listed_bytes, tools_page
from server.rules import PRODUCTION, TOOLSETS
from server.settings import Settings
from server.tools.registry import ALL

SERVER = Path(server.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SERVER.rglob("*.py")}
ERRORS = {
    name: each for name, each in vars(server.errors).items() if isinstance(each, type) and issubclass(each, ToolError)
}


def calls(tree: ast.AST, names: set[str]) -> list[tuple[str, ast.Call]]:
    return [
        (node.func.id, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    ]


def details_given(tree: ast.AST) -> dict[str, set[str]]:
    """The members of `details` by code, wherever a ToolError is made."""
    given: dict[str, set[str]] = defaultdict(set)
    for name, call in calls(tree, set(ERRORS)):
        given[ERRORS[name].code] |= {keyword.arg for keyword in call.keywords if keyword.arg}
    return given


def test_every_code_is_explained() -> None:
    assert set(codes()) == set(ADVICE) == {error.code for error in ERRORS.values()}
    for code in codes():
        assert f"| `{code}` |" in errors_page()


def test_every_detail_that_the_server_gives_is_explained() -> None:
    unexplained = {
        (path.name, code, member)
        for path, tree in TREES.items()
        for code, members in details_given(tree).items()
        for member in members - set(ADVICE[code].details)
    }
    assert unexplained == set(), "explain them in ADVICE of server/reference/errors_page.py"


def test_a_detail_that_is_not_explained_would_be_found() -> None:
    tree = ast.parse("raise NotFoundError('No order', colour='blue')")
    assert not details_given(tree)["NOT_FOUND"] <= set(ADVICE["NOT_FOUND"].details)


def test_every_refusal_of_the_edge_is_explained() -> None:
    explained = {(each.status, each.code) for each in HTTP}
    for tree in TREES.values():
        for _, call in calls(tree, {"RefusedError"}):
            values = [argument.value for argument in call.args[:2] if isinstance(argument, ast.Constant)]
            if len(values) == 2:
                assert (str(values[0]), values[1]) in explained


def test_every_code_of_a_protocol_error_is_explained() -> None:
    numbers: dict[str, Any] = vars(mcp_types) | vars(authentication) | vars(dispatch)
    explained = {each.code for each in JSON_RPC}
    for tree in TREES.values():
        for _, call in calls(tree, {"ProtocolError"}):
            name = call.args[0]
            if isinstance(name, ast.Name) and name.id.isupper():
                assert numbers[name.id] in explained, name.id


def test_every_setting_and_what_production_refuses_is_on_the_page() -> None:
    page = environments_page()
    for name in Settings.model_fields:
        (row,) = [
            line for line in page.split("## Every setting")[1].splitlines() if line.startswith(f"| `{name.upper()}` |")
        ]
        for rule in PRODUCTION:
            assert rule.setting != name or rule.demand in row


def test_every_tool_and_every_argument_is_on_the_page() -> None:
    page = tools_page()
    for tool in ALL:
        section = page.split(f"### `{tool.name}`\n")[1].split("\n### ")[0]
        assert tool.description in section
        for argument in tool.arguments.model_fields:
            assert f"| `{argument}` |" in section


def test_every_tool_belongs_to_a_toolset_that_a_setting_can_name() -> None:
    assert {tool.toolset for tool in ALL} <= set(TOOLSETS)


def test_the_size_of_the_list_grows_with_the_tools() -> None:
    assert listed_bytes([]) == len(b'{"tools":[]}')
    assert listed_bytes(ALL[:1]) < listed_bytes(ALL[:2]) < listed_bytes(ALL)


def test_a_cell_keeps_to_its_row() -> None:
    for page in (tools_page(), errors_page(), environments_page()):
        heads = 0
        for line in page.replace(r"\|", "").splitlines():
            bars = line.count("|") if line.startswith("|") else 0
            assert bars in {0, heads} or heads == 0, line
            heads = bars


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"type": "string"}, "text"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "whole number"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "whole number or text"),
        ({"type": "array", "items": {"$ref": "#/$defs/Part"}}, "list of Part"),
        ({"type": "array"}, "list"),
        ({"enum": ["ASC", "DESC"]}, '`"ASC"` or `"DESC"`'),
        ({"const": 1}, "`1`"),
        ({}, "anything"),
    ],
)
def test_a_type_is_told_in_words(declared: dict[str, Any], words: str) -> None:
    assert type_of(declared) == words


def test_limits_are_told_in_words_wherever_they_stand() -> None:
    declared = {
        "anyOf": [{"type": "array", "maxItems": 5, "items": {"type": "string", "minLength": 1}}, {"type": "null"}],
        "default": None,
    }
    assert limits_of(declared) == "at most 5 entries, each at least 1 characters"
    assert default_of(declared) == ""
    assert default_of({"default": 0}) == "`0`"
