"""detect-secrets: keys, tokens and passwords in any file, and in the files' names.

It passes over, without a word, files that it cannot decode, files with endings that it thinks uninteresting, and lines
with a comment that asks for it. So it is given copies: in each the same key is planted as the last line, and a file
in which that was not found was not examined. Of what is no text, or too large to guess in, the copy has the words that
are long enough for a token. Nothing that it finds is repeated: not by us, and its output is not kept.
"""

import base64
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import Inconclusive
from harness.record import fingerprint
from harness.verdict import Severity
from security.findings import Found
from security.scan.kinds import is_below
from security.scan.masked_names import digest, masked
from security.scan.scanner import ENVIRONMENT, Judgement, Output, Reply, Scene, Task, parse, require_exit

SHAPES = Path(__file__).with_name("secret_shapes.py")
KEY_TYPE = "Quartermaster tenant key"
GUESSES = ("Secret Keyword", "Base64 High Entropy String", "Hex High Entropy String", "Basic Auth Credentials")
"""What is found by a name or by entropy; everything else has the shape of a certain kind of token."""
# Code and prose are read line by line. Anything else may also be parsed as YAML or as a file of settings, which the
# planted line would prevent: it is read as both.
LINES_ALONE = (".py", ".md", ".js", ".mjs", ".ts", ".html", ".j2")
MARKED, PLAIN, WORDS = "marked", "plain", "words"
NAMES = "names.txt"
LARGEST = 2_000_000
"""Bytes of a file that is examined as it stands, and of the words of one that is not."""
_WORD = re.compile(rb"[A-Za-z0-9_./+=:@~-]{16,}|BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*|PuTTY-User-Key-File")
# Off: filters that silence a whole line or file; guesses are filtered by `is_wrong_guess` instead.
FILTERS = (
    "allowlist.is_line_allowlisted",
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_lock_file",
    "heuristic.is_non_text_file",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_potential_uuid",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_swagger_file",
    "heuristic.is_templated_secret",
)


class Secret(Reply):
    """One of detect-secrets' results."""

    type: str
    hashed_secret: str
    line_number: int


class Report(Reply):
    """detect-secrets' JSON: results by file, and the detectors that it used."""

    results: dict[str, list[Secret]]
    plugins_used: list[dict[str, object]]

    def of(self, copy: str) -> list[Secret]:
        """What was found in one copy."""
        return self.results.get(copy, [])


@dataclass(frozen=True)
class Plant:
    """The copies: the key planted in all marked ones and in those of words, and which file each copy is of."""

    key: str
    marked: Mapping[str, str]
    plain: Mapping[str, str]
    words: Mapping[str, str]
    too_large: Sequence[str]
    """Files whose words alone are too many."""
    names: Sequence[str]
    """Every file: the lines of NAMES."""

    @property
    def planted(self) -> dict[str, str]:
        """Every copy in which the key must be found."""
        return {**self.marked, **self.words, NAMES: NAMES}


@dataclass(frozen=True)
class DetectSecrets:
    """The scanner of secrets. Below `samples`, where made-up ones are to be expected, guesses do not count."""

    samples: Sequence[str] = ()
    name: str = "secrets"
    title: str = "detect-secrets finds no secret in the files and their names"
    program: str = "detect-secrets"
    environment: str = ENVIRONMENT
    categories: tuple[str, ...] = ("A04:2025", "A07:2025")

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`."""
        plant = plant_copies(scene.repository, scene.files, scene.scratch, new_key())
        if not plant.marked and not plant.words:
            raise Inconclusive("there is no file to examine")
        return Task(
            arguments=(
                *("--cores", "2", "-C", str(scene.scratch), "scan", "--all-files", "--no-verify"),
                *("--plugin", str(SHAPES), "--filter", f"{SHAPES.as_uri()}::is_wrong_guess"),
                *("--filter", f"{SHAPES.as_uri()}::is_without_candidate"),
                *("--disable-plugin", "IPPublicDetector"),
                *(part for name in FILTERS for part in ("--disable-filter", f"detect_secrets.filters.{name}")),
                *(MARKED, PLAIN, WORDS, NAMES),
            ),
            directory=scene.scratch,
            judge=lambda output: judge(output, plant, self.samples),
        )


def new_key() -> str:
    """A key as this project issues them, of nobody."""
    return f"qm_{base64.b32encode(secrets.token_bytes(10)).decode().lower()}.{secrets.token_urlsafe(32)}"


def plant_copies(repository: Path, files: Iterable[str], scratch: Path, key: str) -> Plant:
    """Copy every file under `scratch`, the key as its last line. Raises Inconclusive where one cannot be read."""
    names = tuple(files)
    marked, plain, words = {}, {}, {}
    too_large = []
    for folder in (MARKED, PLAIN, WORDS):
        (scratch / folder).mkdir()
    _write(scratch / NAMES, "".join(f"{' '.join(path.splitlines())}\n" for path in names) + f"{key}\n")
    for path in names:
        try:
            content = (repository / path).read_bytes()
        except OSError as error:
            raise Inconclusive(f"{path} cannot be read: {error.strerror}") from error
        text = _text(content)
        if text is None:
            found = words_of(content)
            if len(found) > LARGEST:
                too_large.append(path)
                continue
            words[f"{WORDS}/{path}.txt"] = path
            _write(scratch / WORDS / f"{path}.txt", f"{found}{key}\n")
            continue
        by_lines = path.endswith(LINES_ALONE)
        copy = f"{MARKED}/{path}" if by_lines else f"{MARKED}/{path}.txt"
        marked[copy] = path
        _write(scratch / copy, text + ("" if text.endswith("\n") or not text else "\n") + key + "\n")
        if not by_lines:
            plain[f"{PLAIN}/{path}"] = path
            _write(scratch / PLAIN / path, text)
    return Plant(key, marked, plain, words, too_large, names)


def words_of(content: bytes) -> str:
    """A line for each word that is long enough for a token; of text of two bytes a letter too."""
    found = _WORD.findall(content)
    if b"\0" in content:
        found += _WORD.findall(content.replace(b"\0", b""))
    return "".join(f"{word.decode('ascii')}\n" for word in dict.fromkeys(found))


def judge(output: Output, plant: Plant, samples: Sequence[str]) -> Judgement:
    """What detect-secrets' results on the copies come to; a doubt where one was not examined."""
    require_exit(output, (0,))
    report = parse(Report, output)
    planted = digest(plant.key)
    seen = {
        path
        for path, found in report.results.items()
        if any(each.type == KEY_TYPE and each.hashed_secret == planted for each in found)
    }
    missed = [path for copy, path in plant.planted.items() if copy not in seen]
    doubt = ""
    if missed:
        doubt = f"{len(missed)} of {len(plant.planted) - 1} files were not examined, {missed[0]} among them"
    elif plant.too_large:
        doubt = f"{plant.too_large[0]} holds more than can be examined ({LARGEST:_} bytes of words)".replace("_", " ")
    originals = {**plant.marked, **plant.plain}
    names = _masked_names(report, plant, planted)
    read = [
        (copy, path, each)
        for copy, path in originals.items()
        for each in report.of(copy)
        if each.hashed_secret != planted
    ]
    # The same file is read in two ways, of which the second may place what the first has found elsewhere.
    by_line = {(path, each.hashed_secret, each.type) for copy, path, each in read if copy in plant.marked}
    guessed = {(path, each.line_number) for _, path, each in read if _is_sample(each, path, samples)}
    findings = [
        _found(each, names.get(path, path))
        for copy, path, each in read
        if (copy in plant.marked or (path, each.hashed_secret, each.type) not in by_line)
        and not _is_sample(each, path, samples)
    ]
    findings += _found_by_shape(report, plant, planted, names)
    evidence = [f"{len(plant.marked)} text files, with {len(report.plugins_used)} detectors"]
    if guessed:
        evidence.append(f"not told, because samples stand there: {len(guessed)} guesses below {', '.join(samples)}")
    if plant.words:
        evidence.append(
            f"no text, or larger than {LARGEST // 1_000_000} MB, so searched for tokens of a known shape alone: "
            f"{', '.join(names.get(path, path) for path in plant.words.values())}"
        )
    return Judgement(
        tuple(findings),
        examined=len(seen - {NAMES}),
        canary_seen=bool(seen - {NAMES}),
        evidence=tuple(evidence),
        doubt=doubt if seen else "",
    )


def _found_by_shape(report: Report, plant: Plant, planted: str, names: Mapping[str, str]) -> list[Found]:
    """The tokens in what is no text, and in names; guesses say nothing there, and neither do lines."""
    found = []
    for copy, path in (*plant.words.items(), (NAMES, "")):
        for each in report.of(copy):
            if each.hashed_secret != planted and each.type not in GUESSES:
                own = path or plant.names[each.line_number - 1]
                told = _found(each, names.get(own, own))
                # One of each token in a file: there is no line that would tell them apart.
                subject = fingerprint("secret", own, each.hashed_secret)
                message = told.message if path else f"{told.message}, in the file's name"
                found.append(replace(told, message=message, line=0, subject=subject))
    return found


def _masked_names(report: Report, plant: Plant, planted: str) -> dict[str, str]:
    """How the files are told of whose names hold a secret."""
    held: dict[str, set[str]] = {}
    for each in report.of(NAMES):
        if each.hashed_secret != planted and each.type not in GUESSES:
            held.setdefault(plant.names[each.line_number - 1], set()).add(each.hashed_secret)
    return {path: masked(path, hashes) for path, hashes in held.items()}


def _text(content: bytes) -> str | None:
    """The text that it is, None where it is none or too large to guess in."""
    if len(content) > LARGEST or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _is_sample(secret: Secret, path: str, samples: Sequence[str]) -> bool:
    return secret.type in GUESSES and is_below(path, samples)


def _found(secret: Secret, path: str) -> Found:
    guessed = secret.type in GUESSES
    return Found(
        rule=secret.type,
        rule_class="secret",
        severity=Severity.MEDIUM if guessed else Severity.HIGH,
        message=f"{secret.type}{', by name or entropy' if guessed else ''}",
        path=path,
        line=secret.line_number,
        references=("CWE-798",),
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
