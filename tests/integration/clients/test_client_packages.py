"""The clients' npm packages are pinned whole, and a folder that was left half made is never taken for installed."""

import json
import os
from pathlib import Path

import pytest

from harness.node import find_node
from harness.npm import NpmError, install_packages
from tests.integration.clients.conftest import PIN

# Nothing here may ask a registry.
ENVIRON = {**os.environ, "npm_config_registry": "http://127.0.0.1:9/", "npm_config_fetch_retries": "0"}
NOTHING = {"name": "nothing", "version": "1.0.0", "private": True, "dependencies": {}}


def write_pin(folder: Path, dependencies: dict[str, str]) -> Path:
    folder.mkdir()
    packages: dict[str, object] = {"": {"name": "nothing", "version": "1.0.0", "dependencies": dependencies}}
    for name, version in dependencies.items():
        packages[f"node_modules/{name}"] = {"version": version, "integrity": f"sha512-{'A' * 86}=="}
    lock = {"name": "nothing", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package.json").write_text(json.dumps({**NOTHING, "dependencies": dependencies}))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


def install(pin: Path, cache: Path, logs: Path) -> Path:
    environ = {**ENVIRON, "npm_config_cache": str(logs / "npm")}
    return install_packages(pin, cache, node=find_node(), logs=logs, environ=environ)


def test_the_lock_holds_the_pinned_versions_integrities_and_no_registry_address() -> None:
    pinned = json.loads((PIN / "package.json").read_text())["dependencies"]
    packages = json.loads((PIN / "package-lock.json").read_text())["packages"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in pinned} == pinned
    others = {name: package for name, package in packages.items() if name}
    assert [name for name, package in others.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_what_a_killed_run_left_is_made_anew_and_installed_once(tmp_path: Path) -> None:
    pin, cache = write_pin(tmp_path / "pin", {}), tmp_path / "cache"
    folder = install(pin, cache, tmp_path / "logs")
    left = folder.rename(folder.with_name(f"{folder.name}.partial"))
    (left / "half-made").touch()
    assert install(pin, cache, tmp_path / "logs") == folder
    assert [each.name for each in cache.iterdir()] == [folder.name]
    assert not (folder / "half-made").exists()
    (folder / "mark").touch()
    install(pin, cache, tmp_path / "logs")
    assert (folder / "mark").exists()


def test_packages_that_cannot_be_fetched_leave_nothing_that_counts(tmp_path: Path) -> None:
    pin, cache = write_pin(tmp_path / "pin", {"no-such-package": "1.0.0"}), tmp_path / "cache"
    with pytest.raises(NpmError, match=r"the packages of pin could not be installed: .*ECONNREFUSED"):
        install(pin, cache, tmp_path / "logs")
    assert list(cache.iterdir()) == []


def test_a_folder_that_holds_another_version_is_refused(tmp_path: Path) -> None:
    pin, cache = write_pin(tmp_path / "pin", {}), tmp_path / "cache"
    folder = install(pin, cache, tmp_path / "logs")
    (pin / "package.json").write_text(json.dumps({**NOTHING, "dependencies": {"no-such-package": "1.0.0"}}))
    with pytest.raises(NpmError, match=rf"{folder.name} holds nothing .* instead of no-such-package 1\.0\.0"):
        install(pin, cache, tmp_path / "logs")
