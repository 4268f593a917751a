"""The lockfile of a target's surface: every tool's name, description, schemas and annotations, pinned by hash.

What a server says of its tools is read by a model as if it were true: a change there is a change of the product, and
must be made on purpose. Kept in the repository, one file a target, a line for each thing that is pinned.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.client import Client
from harness.errors import Inconclusive
from harness.files import write_atomically

FOLDER = "security/surfaces"
INSTRUCTIONS = "instructions"
Surface = dict[str, str]
"""What is pinned, by its name (`tools/orders_get/description`), and its SHA-256."""
_FORM = TypeAdapter(Surface)


def lockfile(repository: Path, target: str) -> Path:
    """Where the surface of this target is pinned."""
    return repository / FOLDER / f"{target}.json"


def read_surface(client: Client) -> Surface:
    """Everything that the server tells a model of itself. Raises ClientError, and Inconclusive on a name told twice."""
    surface = {INSTRUCTIONS: _hash(client.instructions)}
    seen: set[str] = set()
    for kind, definitions in client.list_definitions().items():
        for definition in definitions:
            name = f"{kind}/{definition.get('name')}"
            if name in seen:
                raise Inconclusive(f"the server offers {name} twice")
            seen.add(name)
            surface |= {f"{name}/{aspect}": _hash(value) for aspect, value in definition.items() if aspect != "name"}
            surface.setdefault(f"{name}/description", _hash(""))
    return surface


def read_lockfile(path: Path) -> Surface:
    """What is pinned. Raises Inconclusive where nothing is, or the file cannot be read."""
    try:
        return _FORM.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise Inconclusive(
            f"nothing is pinned for this target; look at its tools, then: ./inv audit.pin --target {path.stem}"
        ) from None
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a lockfile"
        again = f"./inv audit.pin --target {path.stem}"
        raise Inconclusive(
            f"{path.name} cannot be read: {reason}; restore it, or look at the tools, then: {again}"
        ) from None


def write_lockfile(path: Path, surface: Surface) -> None:
    """Pin the surface. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(surface, indent=1, sort_keys=True) + "\n").encode())


def changes(pinned: Surface, offered: Surface) -> list[tuple[str, str]]:
    """What differs, each by its name with a word on how; a tool that is new or gone is told once."""
    told: dict[str, str] = {}
    before, now = set(map(_owner, pinned)), set(map(_owner, offered))
    for name in sorted(pinned.keys() | offered.keys()):
        if pinned.get(name) == offered.get(name):
            continue
        owner = _owner(name)
        if owner not in before:
            told[owner] = "is offered, and not pinned"
        elif owner not in now:
            told[owner] = "is pinned, and not offered any more"
        else:
            told[name] = "is not what is pinned"
    return list(told.items())


def owners(surface: Iterable[str]) -> list[str]:
    """The tools, prompts and resources that a surface tells of."""
    return sorted(set(map(_owner, surface)))


def _owner(name: str) -> str:
    return name.rpartition("/")[0] or name


def _hash(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
