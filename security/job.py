"""The job behind `./inv audit`: the repository scanned and a server probed, side by side, in one record."""

import subprocess
import tempfile
from collections.abc import Container, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import JsonValue

from harness.baseline import load_baseline
from harness.collector import Run
from harness.config import LOCAL, load
from harness.errors import Inconclusive, UsageError
from harness.machine import read_revision
from harness.record import Check
from harness.run import run_job
from harness.sbom import SBOM_NAME, SPECIFICATION, make_sbom
from harness.verdict import Severity
from harness.virtual_environment import prepare
from harness.waivers import load_waivers
from security.findings import ORDER, read_lines
from security.live import TARGET, open_site, probing, require_target
from security.model import AuditTable
from security.probe.catalogue import PROBES
from security.probe.run import list_mild
from security.scan.bandit import Bandit
from security.scan.detect_secrets import DetectSecrets
from security.scan.locks import read_locks
from security.scan.pip_audit import PipAudit
from security.scan.run import Outcome, report, scan
from security.scan.scanner import Scanner, Scene
from security.selection import choose

JOB = "audit"
ENVIRONMENT = "audit"
"""The scanners' environment is .venv-audit, of requirements/audit.txt."""
SBOM = "sbom"
"""The id of the check that there is a bill of materials."""
SERVER_LOCK = "requirements/server.txt"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `./inv audit` was asked for.

    `only` names checks or groups of them (none: all), `fail_on` a severity in place of ops.toml's, `baseline` the
    earlier record whose findings do not fail.
    """

    target: str = LOCAL
    only: Sequence[str] = ()
    fail_on: str = ""
    baseline: str = ""


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
    ops.toml, waivers.toml or baseline, an unknown target, check or severity.
    """
    configuration = load(repository / "ops.toml", {"audit": AuditTable})
    policy = configuration.table("audit", AuditTable)
    now = datetime.now(UTC)
    waivers = load_waivers(repository / "waivers.toml", now.date())
    scanners = catalogue(policy, now)
    chosen = choose(options.only, [*(scanner.name for scanner in scanners), *(probe.id for probe in PROBES)])
    probes = [probe for probe in PROBES if probe.id in chosen]
    baseline = load_baseline(Path(options.baseline), JOB) if options.baseline else None
    fail_on = parse_severity(options.fail_on) if options.fail_on else policy.fail_on

    require_target(options.target, configuration, environ)

    def body(run: Run) -> None:
        with ExitStack() as stack:
            if probes:
                logs = run.directory / "logs"
                site = open_site(options.target, configuration, repository=repository, logs=logs, environ=environ)
                live = stack.enter_context(probing(run, probes, options.only, site))
            outcomes = scan_repository(run, [scanner for scanner in scanners if scanner.name in chosen])
            if probes:
                run.progress.now("waiting for the probes")
                live.finish()
        report(run, outcomes, fail_on, read_lines(repository))
        list_mild(run, probes, fail_on)
        write_sbom(run, repository, now)
        list_left_out(run, options.only, scanners, chosen)
        in_order(run, [*(scanner.name for scanner in scanners), SBOM, TARGET, *(probe.id for probe in PROBES)])

    def scan_repository(run: Run, scanners: Sequence[Scanner]) -> list[Outcome]:
        if not scanners:
            return []
        run.progress.now("making the scanners' environment (once per change of its requirements)")
        found = programs or prepare(repository, ENVIRONMENT, logs=run.directory / "logs", environ=environ).parent
        run.progress.now(f"scanning with {', '.join(scanner.program for scanner in scanners)}")
        with tempfile.TemporaryDirectory(prefix="quartermaster-audit-") as scratch:
            return scan(scanners, Scene(repository, list_files(repository), Path(scratch), found, environ))

    arguments: dict[str, JsonValue] = {
        "target": options.target,
        "only": list(options.only),
        "fail_on": fail_on.value,
    }
    return run_job(
        JOB,
        body,
        arguments=arguments,
        reports_directory=configuration.reports_directory,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
        waivers=waivers,
        keep_runs=configuration.reports.keep,
        baseline=baseline,
    )


def list_left_out(run: Run, only: Sequence[str], scanners: Sequence[Scanner], chosen: Container[str]) -> None:
    """List every check that --only does not name."""
    reason = f"left out: --only names {', '.join(only)}"
    for scanner in scanners:
        if scanner.name not in chosen:
            run.skip(scanner.name, scanner.title, reason, tool=scanner.program, categories=scanner.categories)
    for probe in PROBES:
        if probe.id not in chosen:
            run.skip(probe.id, probe.title, reason, severity=probe.severity, categories=probe.categories)


def in_order(run: Run, names: Sequence[str]) -> None:
    """Put the checks in the order of `names`; one whose id begins with a name follows it."""
    places = {name: place for place, name in enumerate(names)}

    def place(check: Check) -> int:
        name = check.id
        while name and name not in places:
            name = name.rpartition(".")[0]
        return places.get(name, len(places))

    run.checks.sort(key=place)


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
