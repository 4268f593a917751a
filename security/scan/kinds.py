"""Kinds of file that only some repositories have, each told by its place or by what is in it."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.errors import Inconclusive
from security.scan.scanner import NothingOfItsKindError, Scene

_DOCKERFILE = re.compile(r"(?i)(?:Dockerfile|Containerfile)(?:[.-].*)?|.+\.(?:Dockerfile|Containerfile)")
_NO_DOCKERFILE = re.compile(r"(?i).*\.(?:dockerignore|containerignore|j2)")
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml|\.github/dependabot\.ya?ml|(?:.*/)?action\.ya?ml")
_YAML = re.compile(r"(?i).+\.ya?ml")
_ANSIBLE = re.compile(
    r"(?i)(?:playbooks|roles)/.*|.*/playbooks/.*|.*/roles/[^/]+/(?:tasks|handlers|defaults|vars|meta)/.*"
)
# What roles copy to a host is none of Ansible's own.
_NO_ANSIBLE = re.compile(r"(?:.*/)?(?:files|templates)/.*")
# A list at the top, after comments and the begin of the document.
_LIST = re.compile(r"\A\ufeff?(?:[ \t]*(?:#[^\n]*|---[^\n]*|%[^\n]*)?\n)* *- ")
_HOSTS = re.compile(r"^ *(?:- +)?['\"]?hosts['\"]?\s*:", re.MULTILINE)
_WORK = re.compile(r"^ *(?:- +)?['\"]?(?:(?:pre_|post_)?tasks|roles|handlers)['\"]?\s*:", re.MULTILINE)
_IMPORT = re.compile(r"^ *(?:- +)?['\"]?(?:ansible\.builtin\.)?import_playbook['\"]?\s*:", re.MULTILINE)
_SERVICE = re.compile(r".+\.service(?:\.d/[^/]+\.conf)?(?:\.j2)?")
_MANIFEST = re.compile(r"(?i).+\.(?:ya?ml|json)")
_MEMBERS = ("apiVersion", "kind")
_AT_THE_TOP = tuple(re.compile(rf"^['\"]?{name}['\"]?\s*:", re.MULTILINE) for name in _MEMBERS)
_IN_BRACES = tuple(re.compile(rf"[{{,]\s*['\"]?{name}['\"]?\s*:") for name in _MEMBERS)


def _has_plays(text: str) -> bool:
    """Whether it is a list of plays: hosts and something to do there, or another playbook."""
    return bool(_LIST.match(text) and (_IMPORT.search(text) or (_HOSTS.search(text) and _WORK.search(text))))


def _is_manifest(text: str) -> bool:
    """Whether a document has an apiVersion and a kind, in YAML of either style or in JSON."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return all(name.search(text) for name in _AT_THE_TOP)
    try:
        value = json.loads(text)
    except ValueError:
        return all(name.search(text) for name in _IN_BRACES)
    return all(name in value for name in _MEMBERS)


@dataclass(frozen=True)
class Kind:
    """A kind of file: what one is called, whether a path from the repository may be of it, and whether its text is."""

    noun: str
    has: Callable[[str], bool]
    shows: Callable[[str, str], bool] = lambda _path, _text: True


DOCKERFILES = Kind(
    "Dockerfile", lambda path: bool(_DOCKERFILE.fullmatch(_name(path)) and not _NO_DOCKERFILE.fullmatch(path))
)
WORKFLOWS = Kind("workflow or action of GitHub", lambda path: bool(_WORKFLOW.fullmatch(path)))
PLAYBOOKS = Kind(
    "playbook or role of Ansible",
    lambda path: bool(_YAML.fullmatch(path) and not _NO_ANSIBLE.fullmatch(path)),
    lambda path, text: bool(_ANSIBLE.fullmatch(path)) or _has_plays(text),
)
SERVICES = Kind("service unit of systemd", lambda path: bool(_SERVICE.fullmatch(path)))
MANIFESTS = Kind(
    "manifest of Kubernetes", lambda path: bool(_MANIFEST.fullmatch(path)), lambda _, text: _is_manifest(text)
)


@dataclass(frozen=True)
class Given:
    """The text of each file of a kind by its path, and what a report is to say of those that were left out."""

    texts: dict[str, str]
    left_out: tuple[str, ...] = ()


def files_of(kind: Kind, scene: Scene, leave_out: Sequence[str]) -> Given:
    """The files of a kind, without those below the folders `leave_out`.

    Raises NothingOfItsKindError where there is none, and Inconclusive where one cannot be read or is no text.
    """
    texts = {path: _read(scene, path) for path in scene.files if kind.has(path)}
    found = {path: text for path, text in texts.items() if kind.shows(path, text)}
    kept = {path: text for path, text in found.items() if not is_below(path, leave_out)}
    left_out = tell_left_out(found, leave_out)
    if not kept:
        raise NothingOfItsKindError("; ".join((f"there is no {kind.noun} in the repository", *left_out)))
    return Given(kept, left_out)


def is_below(path: str, folders: Sequence[str]) -> bool:
    """Whether a path from the repository begins with one of these folders."""
    return path.split("/", maxsplit=1)[0] in folders


def tell_left_out(paths: Iterable[str], folders: Sequence[str]) -> tuple[str, ...]:
    """A line on how many of the paths are below the folders, which are left out by policy; none where none is."""
    count = sum(is_below(path, folders) for path in paths)
    return (f"left out, because samples stand there: {count} below {', '.join(folders)}",) if count else ()


def _read(scene: Scene, path: str) -> str:
    try:
        return (scene.repository / path).read_bytes().decode()
    except OSError as error:
        raise Inconclusive(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Inconclusive(f"{path} cannot be read: it is no UTF-8") from error


def _name(path: str) -> str:
    return path.rpartition("/")[2]
