"""The job behind `./inv audit`: the repository's files listed, the scanners run side by side, their record written."""

import difflib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import JsonValue

from harness.collector import Run
from harness.config import load
from harness.errors import Inconclusive, UsageError
from harness.machine import read_revision
from harness.run import run_job
from harness.sbom import SBOM_NAME, SPECIFICATION, make_sbom
from harness.verdict import Severity
from harness.virtual_environment import prepare
from harness.waivers import load_waivers
from security.findings import ORDER, read_lines
from security.model import AuditTable
from security.scan.bandit import Bandit
from security.scan.detect_secrets import DetectSecrets
from security.scan.locks import read_locks
from security.scan.pip_audit import PipAudit
from security.scan.run import report, scan
from security.scan.scanner import Scanner, Scene

JOB = "audit"
ENVIRONMENT = "audit"
"""The scanners' environment is .venv-audit, of requirements/audit.txt."""
SBOM = "sbom"
"""The id of the check that there is a bill of materials."""
SERVER_LOCK = "requirements/server.txt"


@dataclass(frozen=True)
class Options:
    """What `./inv audit` was asked for: the names of scanners (none: all), and a severity in place of ops.toml's."""

    only: Sequence[str] = ()
    fail_on: str = ""


def run_audit(
    options: Options,
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    programs: Path | None = None,
) -> int:
    """Return the exit code of an audit, its record written.

    `programs` is where the scanners are, in place of their locked environment. Raises UsageError for an unusable
    ops.toml or waivers.toml, an unknown scanner or severity.
    """
    configuration = load(repository / "ops.toml", {"audit": AuditTable})
    policy = configuration.table("audit", AuditTable)
    now = datetime.now(UTC)
    waivers = load_waivers(repository / "waivers.toml", now.date())
    scanners = catalogue(policy, now)
    chosen = choose(options.only, scanners)
    fail_on = parse_severity(options.fail_on) if options.fail_on else policy.fail_on

    def body(run: Run) -> None:
        for scanner in scanners:
            if scanner not in chosen:
                reason = f"left out: --only names {', '.join(options.only)}"
                run.skip(scanner.name, scanner.title, reason, tool=scanner.program, categories=scanner.categories)
        run.progress.now("making the scanners' environment (once per change of its requirements)")
        found = programs or prepare(repository, ENVIRONMENT, logs=run.directory / "logs", environ=environ).parent
        run.progress.now(f"scanning with {', '.join(scanner.program for scanner in chosen)}")
        with tempfile.TemporaryDirectory(prefix="quartermaster-audit-") as scratch:
            scene = Scene(repository, list_files(repository), Path(scratch), found, environ)
            report(run, scan(chosen, scene), fail_on, read_lines(repository))
        write_sbom(run, repository, now)

    arguments: dict[str, JsonValue] = {"only": list(options.only), "fail_on": fail_on.value}
    return run_job(
        JOB,
        body,
        arguments=arguments,
        reports_directory=configuration.reports_directory,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
        waivers=waivers,
        keep_runs=configuration.reports.keep,
    )


def write_sbom(run: Run, repository: Path, now: datetime) -> None:
    """Keep a bill of what the server's lock pins as an artifact of the run, in a check that says of how much."""
    with run.check(SBOM, "What the server is made of is written down", severity=Severity.MEDIUM) as check:
        pins = {(pin.name, pin.version) for pin in read_locks(repository) if pin.path == SERVER_LOCK}
        if not pins:
            raise Inconclusive(f"there is no {SERVER_LOCK}")
        bill = make_sbom("quartermaster", read_revision(repository).commit or "unknown", pins, made=now)
        run.artifact_path(SBOM_NAME).write_bytes(bill)
        check.examined = len(pins)
        check.evidence.append(f"{SBOM_NAME}: CycloneDX {SPECIFICATION}, {len(pins)} distributions of {SERVER_LOCK}")


def catalogue(policy: AuditTable, now: datetime) -> tuple[Scanner, ...]:
    """Every scanner there is, in the order of their checks: what two find is told by the earlier one."""
    return (
        Bandit(leave_out=policy.samples),
        DetectSecrets(samples=policy.samples),
        PipAudit(policy.advisories, timedelta(days=policy.advisories_days), now),
    )


def choose(only: Sequence[str], scanners: Sequence[Scanner]) -> tuple[Scanner, ...]:
    """The scanners of these names, all where there is none. Raises UsageError that says which names there are."""
    known = [scanner.name for scanner in scanners]
    for name in only:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            raise UsageError(f"--only {name}: no scanner has that name ({hint})")
    return tuple(scanner for scanner in scanners if not only or scanner.name in only)


def parse_severity(text: str) -> Severity:
    """The severity of this name. Raises UsageError."""
    try:
        return Severity(text)
    except ValueError:
        raise UsageError(f"--fail-on {text}: is one of {', '.join(ORDER)}") from None


def list_files(repository: Path) -> tuple[str, ...]:
    """Every regular file that git knows or would add, sorted; a link's own file is listed where it is.

    Raises Inconclusive where that cannot be told.
    """
    command = ["git", "-C", str(repository), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True).stdout
    except FileNotFoundError as error:
        raise Inconclusive("git is not installed: the repository's files cannot be listed") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise Inconclusive(f"git cannot list the files of {repository.name}: {said}") from error
    names = (name.decode() for name in listed.split(b"\0") if name)
    return tuple(sorted({name for name in names if _is_regular(repository / name)}))


def _is_regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
