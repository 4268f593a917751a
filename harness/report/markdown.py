"""Markdown, for a merge request's comment or a chat: the verdict, what is wrong, what was not checked, the figures."""

import re

from harness.record import Check, RunRecord
from harness.report.coverage import make_matrix
from harness.report.digest import (
    MOST_FINDINGS,
    Digest,
    accepted_findings,
    count_findings,
    duration,
    figure,
    figure_name,
    make_digest,
    open_findings,
    severity_of,
    why_failed,
)

_ENTITY = re.compile(r"&(?=#?[A-Za-z0-9]+;)")
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def render(record: RunRecord) -> str:
    """The record as Markdown."""
    target = f" of {record.target.name}" if record.target else ""
    return _join([f"# {_text(record.kind)}{_text(target)}: {record.status.upper()}", *_sections(record)])


def render_page(record: RunRecord, title: str, introduction: str) -> str:
    """The record as a page of the documentation: with words of its own at the top, and with what each check saw."""
    target = record.target
    facts = [
        f"revision {record.revision.commit or 'unknown'}{', with changes' if record.revision.dirty else ''}",
        f"target {target.name}{f' ({target.release})' if target.release else ''}" if target else "",
        f"{record.environment.cpus} CPUs ({record.environment.cpu_model}), Python {record.environment.python}",
    ]
    evidence = [
        f"{_text(check.id)} ({duration(check.duration_seconds)}): {_text('; '.join(check.evidence))}"
        for check in record.checks
        if check.evidence
    ]
    return _join(
        [
            f"# {title}",
            introduction,
            f"Of {_text(', '.join(fact for fact in facts if fact))}.",
            *_sections(record),
            _bullets("What each check saw", evidence),
        ]
    )


def _sections(record: RunRecord) -> list[str]:
    digest = make_digest(record)
    return [
        f"**{_text(digest.headline)}.**",
        f"{record.started:%Y-%m-%d %H:%M:%S} UTC, took {duration(record.duration_seconds)}, exit {record.exit_code}.",
        _bullets("What to do", [_text(line) for line in digest.to_do]),
        _bullets("Failed", [_failure(check) for check in digest.failed]),
        _bullets(
            "NOT CHECKED",
            [f"**{_text(each.check.title)}** ({each.why}): {_text(each.check.reason)}" for each in digest.not_checked],
        ),
        _bullets("Waived", [_acceptance(check) for check in digest.accepting]),
        _parts(digest),
        _matrix(record),
        _checks(record),
        _figures(record),
        f"Record {_text(record.id)}",
    ]


def _join(sections: list[str]) -> str:
    return "\n\n".join(section for section in sections if section) + "\n"


def _text(text: str) -> str:
    """One line in which nothing is markup: neither Markdown nor HTML nor a table's edge."""
    # An ampersand that begins no entity is shown as it is: what is read without a viewer stays legible.
    line = _ENTITY.sub("&amp;", " ".join(text.split()))
    line = line.replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    return _SPECIAL.sub(r"\\\1", line)


def _bullets(title: str, lines: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _failure(check: Check) -> str:
    lines = [f"**{_text(check.title)}** ({check.severity}): {_text(why_failed(check))}"]
    findings = open_findings(check)
    for found in findings[:MOST_FINDINGS]:
        where = f" at {_text(found.location)}" if found.location else ""
        severity = severity_of(found, check)
        lines.append(f"{severity}, {_text(found.rule)}: {_text(found.message)}{where} ({_text(found.fingerprint)})")
    if len(findings) > MOST_FINDINGS:
        lines.append(f"and {len(findings) - MOST_FINDINGS} more in report.html")
    return "\n  - ".join(lines)


def _acceptance(check: Check) -> str:
    accepted = accepted_findings(check)
    words = count_findings(len(accepted)) if accepted else check.reason
    lines = [f"**{_text(check.title)}**: {_text(words)}"]
    for found in accepted[:MOST_FINDINGS]:
        where = f" at {_text(found.location)}" if found.location else ""
        lines.append(f"{_text(found.rule)}{where} ({_text(found.fingerprint)}): {_text(found.accepted)}")
    if len(accepted) > MOST_FINDINGS:
        lines.append(f"and {len(accepted) - MOST_FINDINGS} more in report.html")
    return "\n  - ".join(lines)


def _table(title: str, header: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---"] * len(header), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _parts(digest: Digest) -> str:
    rows = [
        [_text(each.part.name), each.part.status, duration(each.part.duration_seconds), _text(each.part.reason)]
        for each in digest.parts
    ]
    return _table("Parts", ["part", "status", "took", "why"], rows)


def _matrix(record: RunRecord) -> str:
    rows = [
        [_text(each.id), _text(each.category.title), _text(", ".join(check.id for check in each.checks)), each.summary]
        for coverage in make_matrix(record).values()
        for each in coverage
    ]
    return _table("Security categories", ["id", "category", "checks", "what they say"], rows)


def _checks(record: RunRecord) -> str:
    rows = [
        [check.status.replace("_", " "), _text(check.id), _text(check.title), str(check.examined)]
        for check in record.checks
    ]
    return _table("Checks", ["status", "id", "check", "examined"], rows)


def _figures(record: RunRecord) -> str:
    rows = [
        [
            _text(each.labels.get("part", "")),
            _text(figure_name(each)),
            _text(figure(each.value, each.unit)),
            "" if each.limit is None else _text(figure(each.limit, each.unit)),
            str(each.samples),
        ]
        for each in record.measurements
    ]
    return _table("Figures", ["part", "figure", "value", "limit", "samples"], rows)
