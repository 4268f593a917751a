"""One self-contained HTML page: no script, no request to anywhere, legible on a phone, in the dark and in print."""

from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.record import Artifact, Check, Part, RunRecord
from harness.report import digest as words
from harness.report.chart import make_charts
from harness.report.coverage import make_matrix
from harness.report.timeline import make_timeline
from harness.verdict import CheckStatus

_TEMPLATES = Path(__file__).parent / "templates"
_ORDER = (
    CheckStatus.FAILED,
    CheckStatus.INCONCLUSIVE,
    CheckStatus.SKIPPED,
    CheckStatus.WAIVED,
    CheckStatus.PASSED,
    CheckStatus.NOT_APPLICABLE,
)


def render(record: RunRecord) -> str:
    """The record as one HTML page; links lead to files beside it."""
    digest = words.make_digest(record)
    longest = max((part.duration_seconds for part in record.parts), default=0.0) or 1.0
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            digest=digest,
            statuses=_ORDER,
            charts=make_charts(record.measurements),
            timeline=make_timeline(record.series),
            groups=_groups(record),
            commands={check.id: words.command_of(record, check) for check in record.checks},
            longest=longest,
            matrix=make_matrix(record),
            most_findings=words.MOST_FINDINGS,
            style=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704 -- our own file
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": words.duration,
        "figure": words.figure,
        "figure_name": words.figure_name,
        "file_link": _file_link,
        "beside": _beside,
        "is_web_link": _is_web_link,
        "bytes": _bytes,
    }
    environment.globals |= {
        "log_of": _log_of,
        "open_findings": words.open_findings,
        "severity_of": words.severity_of,
        "why_failed": words.why_failed,
    }
    return environment


def _groups(record: RunRecord) -> list[tuple[str, list[Check]]]:
    """The checks by part, each group with the worst first; those of no part come last."""
    names = [part.name for part in record.parts]
    groups: dict[str, list[Check]] = {name: [] for name in [*names, ""]}
    for check in record.checks:
        groups[next((name for name in names if check.id.startswith(f"{name}.")), "")].append(check)
    for checks in groups.values():
        checks.sort(key=lambda check: _ORDER.index(check.status))
    return [(name, checks) for name, checks in groups.items() if checks]


def _file_link(path: str) -> str:
    """A link to a file by its path relative to the page; never another scheme, whatever the path holds."""
    return f"./{quote(path)}"


def _beside(path: str, name: str) -> str:
    """The path of another file in the same folder."""
    return f"{path.rpartition('/')[0]}/{name}"


def _is_web_link(reference: str) -> bool:
    try:
        return urlsplit(reference).scheme in {"http", "https"}
    except ValueError:
        return False


def _log_of(part: Part, artifacts: tuple[Artifact, ...]) -> str | None:
    """The error output of a part's process, where nightly keeps it."""
    path = f"logs/{part.name}.stderr.log"
    return path if any(artifact.path == path for artifact in artifacts) else None


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
