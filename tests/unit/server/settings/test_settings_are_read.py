import ast
from pathlib import Path

import server
from server.settings import Settings

SERVER = Path(server.__file__).parent
# What a property of the settings stands for.
PROPERTIES = {"master_keys_bytes": "master_key"}


def attributes_read(tree: ast.AST) -> set[str]:
    """The names read from something called `settings` or `….settings`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (
            (isinstance(node.value, ast.Name) and node.value.id == "settings")
            or (isinstance(node.value, ast.Attribute) and node.value.attr == "settings")
        )
    }


def test_every_setting_is_read_outside_the_settings() -> None:
    read: set[str] = set()
    for path in SERVER.rglob("*.py"):
        if path.name not in {"settings.py", "rules.py"}:
            read |= attributes_read(ast.parse(path.read_text()))
    read = {PROPERTIES.get(name, name) for name in read}
    assert set(Settings.model_fields) - read == set()


def test_a_setting_that_nothing_reads_would_be_found() -> None:
    read = attributes_read(ast.parse("build(settings.host, other.port, self.settings.log_level)"))
    assert read == {"host", "log_level"}
