"""The job behind `./inv audit`: the repository scanned and a server probed, side by side, in one record."""

from collections.abc import Container, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from harness.baseline import load_baseline
from harness.collector import Run
from harness.config import LOCAL, load
from harness.errors import UsageError
from harness.job import spell
from harness.record import Check
from harness.run import ENDED_EARLY, REPORTS, run_job
from harness.verdict import Severity
from harness.waivers import CHECK_ID as WAIVERS
from harness.waivers import load_waivers
from security.findings import ORDER, read_lines
from security.live import TARGET, open_site, probing, require_target
from security.model import AuditTable
from security.probe.catalogue import PROBES
from security.probe.run import list_mild
from security.scan.catalogue import catalogue
from security.scan.run import DOUBT, report
from security.scan.scanner import Scanner
from security.selection import choose, require_known
from security.static import FILES, SBOM, scan_repository, write_sbom

JOB = "audit"
BESIDE = {
    FILES: "whenever a scanner is asked",
    TARGET: "whenever a probe is asked",
    SBOM: "in every audit",
    WAIVERS: "in every audit that waivers.toml has a waiver for",
    ENDED_EARLY: "where an audit does not come to its end",
    REPORTS: "where a report cannot be written",
}
"""When the checks are made that stand in reports and that --only does not name: on the audit itself."""


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

    `programs` is where the scanners are, in place of their locked environments. Raises UsageError for an unusable
    ops.toml, waivers.toml or baseline, an unknown target, check (also one to be allowed) or severity.
    """
    configuration = load(repository / "ops.toml", {"audit": AuditTable})
    policy = configuration.table("audit", AuditTable)
    now = datetime.now(UTC)
    waivers = load_waivers(repository / "waivers.toml", now.date())
    scanners = catalogue(policy, now)
    scans = [scanner.name for scanner in scanners]
    chosen = choose(options.only, [*scans, *(probe.id for probe in PROBES)], BESIDE)
    order = [FILES, *scans, SBOM, TARGET, *(probe.id for probe in PROBES)]
    known_ids = [*order, *(f"{scan}.{DOUBT}" for scan in scans), ENDED_EARLY, REPORTS]
    require_known(allow_inconclusive, known_ids)
    probes = [probe for probe in PROBES if probe.id in chosen]
    baseline = load_baseline(Path(options.baseline), JOB) if options.baseline else None
    fail_on = parse_severity(options.fail_on) if options.fail_on else policy.fail_on

    require_target(options.target, configuration, environ)

    def body(run: Run) -> None:
        chosen_scanners = [scanner for scanner in scanners if scanner.name in chosen]
        outcomes = []
        with ExitStack() as stack:
            live = None
            if probes:
                logs = run.directory / "logs"
                site = open_site(options.target, configuration, repository=repository, logs=logs, environ=environ)
                live = stack.enter_context(probing(run, probes, options.only, site))
            if chosen_scanners:
                outcomes = scan_repository(
                    run, chosen_scanners, repository=repository, environ=environ, programs=programs
                )
            if live:
                run.progress.now("waiting for the probes")
                live.finish()
        report(run, outcomes, fail_on, read_lines(repository))
        list_mild(run, probes, fail_on)
        write_sbom(run, repository, now)
        list_left_out(run, options.only, scanners, chosen)
        in_order(run, order)

    arguments: dict[str, JsonValue] = {
        "target": options.target,
        "only": list(options.only),
        "fail_on": fail_on.value,
        **spell_audit(options, allow_inconclusive),
    }
    return run_job(
        JOB,
        body,
        arguments=arguments,
        reports_directory=configuration.reports_directory,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
        known_ids=known_ids,
        waivers=waivers,
        keep_runs=configuration.reports.keep,
        baseline=baseline,
    )


def spell_audit(options: Options, allow_inconclusive: Sequence[str]) -> dict[str, JsonValue]:
    """What the record keeps of the words that ask for the same again; what has its default is left out."""
    given = [
        ("--target", "" if options.target == LOCAL else options.target),
        *(("--only", name) for name in options.only),
        ("--fail-on", options.fail_on),
        ("--baseline", options.baseline),
    ]
    return spell(JOB, given, allow_inconclusive)


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


def parse_severity(text: str) -> Severity:
    """The severity of this name. Raises UsageError."""
    try:
        return Severity(text)
    except ValueError:
        raise UsageError(f"--fail-on {text}: is one of {', '.join(ORDER)}") from None
