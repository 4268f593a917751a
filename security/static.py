"""The static part of an audit: the repository's files listed and scanned, and what the server is made of."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from harness.collector import Run
from harness.errors import HarnessError, Inconclusive
from harness.machine import read_revision
from harness.sbom import SBOM_NAME, SPECIFICATION, make_sbom
from harness.verdict import Severity
from harness.virtual_environment import prepare
from security.scan.files import Listing, list_files
from security.scan.locks import read_locks
from security.scan.run import Outcome, scan
from security.scan.scanner import Scanner, Scene

FILES = "files"
"""The id of the check that the repository's files could be listed, and given to the scanners."""
SBOM = "sbom"
"""The id of the check that there is a bill of materials."""
SERVER_LOCK = "requirements/server.txt"


def scan_repository(
    run: Run,
    scanners: Sequence[Scanner],
    *,
    repository: Path,
    environ: Mapping[str, str],
    programs: Path | None = None,
) -> list[Outcome]:
    """Scan with each, side by side, and return what became of each. `programs` replaces their environments."""
    listing = list_files(repository, environ)
    tell_files(run, listing)

    def environment(name: str) -> Path:
        if programs:
            return programs
        run.progress.now(f"preparing .venv-{name} (made once per change of its requirements)")
        return prepare(repository, name, logs=run.directory / "logs", environ=environ).parent

    run.progress.now(f"scanning with {', '.join(scanner.program for scanner in scanners)}")
    with tempfile.TemporaryDirectory(prefix="quartermaster-audit-") as scratch:
        return scan(scanners, Scene(repository, listing.files, Path(scratch), once(environment), environ))


def write_sbom(run: Run, repository: Path, now: datetime) -> None:
    """Keep a bill of what the server's lock pins as an artifact of the run, in a check that says of how much."""
    title = "What the server is made of is written down"
    with run.check(SBOM, title, severity=Severity.MEDIUM, categories=("A03:2025",)) as check:
        pins = {(pin.name, pin.version) for pin in read_locks(repository) if pin.path == SERVER_LOCK}
        if not pins:
            raise Inconclusive(f"there is no {SERVER_LOCK}")
        bill = make_sbom("quartermaster", read_revision(repository).commit or "unknown", pins, made=now)
        run.artifact_path(SBOM_NAME).write_bytes(bill)
        check.examined = len(pins)
        check.evidence.append(f"{SBOM_NAME}: CycloneDX {SPECIFICATION}, {len(pins)} distributions of {SERVER_LOCK}")


def tell_files(run: Run, listing: Listing) -> None:
    """A check that every file of the repository is given to the scanners; inconclusive where one is left out."""
    with run.check(FILES, "Every file of the repository can be examined", severity=Severity.MEDIUM) as check:
        check.examined = len(listing.files)
        check.evidence.append(f"{len(listing.files)} files that git knows or would add")
        if listing.left_out:
            check.evidence.extend(listing.left_out)
            raise Inconclusive(f"{len(listing.left_out)} left out: {listing.left_out[0]}")
        if not listing.files:
            raise Inconclusive("git lists no file")


def once(prepare_environment: Callable[[str], Path]) -> Callable[[str], Path]:
    """`prepare_environment`, asked once for each name: one that could not be made is not tried again."""
    made: dict[str, Path | HarnessError] = {}

    def programs(name: str) -> Path:
        if name not in made:
            try:
                made[name] = prepare_environment(name)
            except HarnessError as error:
                made[name] = error
        found = made[name]
        if isinstance(found, HarnessError):
            raise found
        return found

    return programs
