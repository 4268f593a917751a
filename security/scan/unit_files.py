"""Service units as systemd would read them: each beside its drop-ins, and templates of Jinja with their values in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import Inconclusive
from security.scan.copies import MARKED

TEMPLATE = ".j2"
_NOTE = re.compile(r"\{#.*?#\}", re.DOTALL)
_VALUE = re.compile(r"\{\{.*?\}\}")
# A comment, or an assignment with the lines on which it goes on.
_LOGICAL_LINE = re.compile(r"[ \t]*[#;][^\n]*|(?:[^\n]*\\\n)*[^\n]+")
# What exposure is made of: the table of systemd-analyze(1), and what these settings are combined with.
_RATED = re.compile(
    r"(?:Ambient|Capability|Device|IPAddress|Private|Protect|Restrict|Root|SystemCall)\w+"
    r"|Delegate|DynamicUser|KeyringMode|LockPersonality|MemoryDenyWriteExecute|NoNewPrivileges|NotifyAccess|ProcSubset"
    r"|RemoveIPC|SupplementaryGroups|UMask"
)


@dataclass(frozen=True)
class Unit:
    """A service unit of the repository, and the drop-ins that lie beside it."""

    path: str
    text: str
    drop_ins: Mapping[str, str]

    @property
    def line(self) -> int:
        """The line on which its hardening belongs: that of its section [Service]; 0 where it has none."""
        lines = [line.strip() for line in self.text.split("\n")]
        return lines.index("[Service]") + 1 if "[Service]" in lines else 0

    @property
    def is_filled(self) -> bool:
        """Whether a value stands where one will be put in later."""
        return any(path.endswith(TEMPLATE) for path in (self.path, *self.drop_ins))


def gather(texts: Mapping[str, str]) -> tuple[list[Unit], list[str]]:
    """The units, and the paths of drop-ins of units that are not beside them."""
    drop_ins = {path: text for path, text in texts.items() if PurePosixPath(path).parent.name.endswith(".service.d")}
    units = [
        Unit(path, text, {each: drop_ins[each] for each in drop_ins if _folder(each) == f"{_plain(path)}.d"})
        for path, text in texts.items()
        if path not in drop_ins
    ]
    applied = {path for unit in units for path in unit.drop_ins}
    return units, [path for path in drop_ins if path not in applied]


def write_unit(scratch: Path, number: int, unit: Unit) -> dict[Path, str]:
    """Write a unit under a name of its own, that no other of the same name is mixed in. Returns the paths of copies.

    The unit is the first. Raises Inconclusive where a template decides about more than values that do not matter.
    """
    name = f"unit{number}{'@' if '@' in PurePosixPath(unit.path).name else ''}.service"
    copies = {scratch / MARKED / name: unit.path}
    for path in unit.drop_ins:
        copies[scratch / MARKED / f"{name}.d" / _plain(PurePosixPath(path).name)] = path
    filled = {
        copy: fill(text) if path.endswith(TEMPLATE) else text
        for (copy, path), text in zip(copies.items(), (unit.text, *unit.drop_ins.values()), strict=True)
    }
    for copy, text in filled.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8", newline="")
    return copies


def fill(text: str) -> str:
    """A template with a made-up command and user where values will be; other settings of such values are left out.

    Lines keep their numbers. Raises Inconclusive where what is shipped depends on more: a statement, a placeholder for
    a setting that exposure is made of, or for whole lines.
    """
    text = _NOTE.sub(lambda note: "\n" * note[0].count("\n"), text)

    def filled(match: re.Match[str]) -> str:
        line = match[0]
        number = text.count("\n", 0, match.start()) + 1
        if "{%" in line:
            raise Inconclusive(f"what it becomes depends on the statement of line {number}: use values alone")
        if "{{" not in line or line.lstrip().startswith(("#", ";")):
            return line
        name, _, value = line.partition("=")
        name = name.strip()
        if "{{" in name or not value or _RATED.fullmatch(name):
            raise Inconclusive(f"what it becomes depends on the value put in on line {number}: write it there")
        if name.startswith("Exec"):
            return _VALUE.sub("/placeholder", line)
        return _VALUE.sub("placeholder", line) if name in {"User", "Group"} else "\n" * line.count("\n")

    return _LOGICAL_LINE.sub(filled, text)


def _folder(path: str) -> str:
    return PurePosixPath(path).parent.as_posix()


def _plain(path: str) -> str:
    return path.removesuffix(TEMPLATE)
