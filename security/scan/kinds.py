"""Kinds of file that only some repositories have, each told by its place or by what is in it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import Inconclusive
from security.scan.scanner import NothingOfItsKindError, Scene

_DOCKERFILE = re.compile(r"(?i)(?:Dockerfile|Containerfile)(?:[.-].*)?|.+\.(?:Dockerfile|Containerfile)")
_NO_DOCKERFILE = re.compile(r"(?i).*\.(?:dockerignore|containerignore|j2)")
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml|\.github/dependabot\.ya?ml|(?:.*/)?action\.ya?ml")
_ANSIBLE = re.compile(r"(?:playbooks|roles)/.*\.ya?ml")
# What roles copy to a host is none of Ansible's own.
_NO_ANSIBLE = re.compile(r".*/(?:files|templates)/.*")
_SERVICE = re.compile(r".+\.service(?:\.d/[^/]+\.conf)?(?:\.j2)?")
_MANIFEST = re.compile(r"^apiVersion:.*^kind:|^kind:.*^apiVersion:", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """A kind of file: what one is called, and whether a path from the repository and its text are of it."""

    noun: str
    has: Callable[[str], bool]
    shows: Callable[[str], bool] = lambda _: True


DOCKERFILES = Kind(
    "Dockerfile", lambda path: bool(_DOCKERFILE.fullmatch(_name(path)) and not _NO_DOCKERFILE.fullmatch(path))
)
WORKFLOWS = Kind("workflow or action of GitHub", lambda path: bool(_WORKFLOW.fullmatch(path)))
PLAYBOOKS = Kind(
    "playbook or role of Ansible", lambda path: bool(_ANSIBLE.fullmatch(path) and not _NO_ANSIBLE.fullmatch(path))
)
SERVICES = Kind("service unit of systemd", lambda path: bool(_SERVICE.fullmatch(path)))
MANIFESTS = Kind(
    "manifest of Kubernetes",
    lambda path: path.endswith((".yaml", ".yml")),
    lambda text: bool(_MANIFEST.search(text)),
)


def files_of(kind: Kind, scene: Scene, leave_out: Sequence[str]) -> dict[str, str]:
    """The text of each file of a kind by its path, without those below the folders `leave_out`.

    Raises NothingOfItsKindError where there is none, and Inconclusive where one cannot be read or is no text.
    """
    texts = {
        path: _read(scene, path)
        for path in scene.files
        if kind.has(path) and path.split("/", maxsplit=1)[0] not in leave_out
    }
    found = {path: text for path, text in texts.items() if kind.shows(text)}
    if not found:
        raise NothingOfItsKindError(f"there is no {kind.noun} in the repository")
    return found


def _read(scene: Scene, path: str) -> str:
    try:
        return (scene.repository / path).read_bytes().decode()
    except OSError as error:
        raise Inconclusive(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Inconclusive(f"{path} cannot be read: it is no UTF-8") from error


def _name(path: str) -> str:
    return path.rpartition("/")[2]
