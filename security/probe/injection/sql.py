"""A client's text in a tool's arguments is a value to the database, and never a part of a statement."""

from harness.collector import OpenCheck
from security.probe.injection.asking import asking
from security.probe.injection.sql_answers import judge_by_answers
from security.probe.injection.sql_statements import judge_by_statements
from security.probe.injection.vectors import REQUEST_ID, argument_vectors, plainest
from security.probe.probe import probe
from security.probe.site import Site


@probe("injection.sql", "No argument of a tool is taken for SQL", "A05:2025", "MCP:input-validation")
def sql(check: OpenCheck, site: Site) -> None:
    """Send SQL in every place for text, and look at the statements that it led to, or else at the answers."""
    with asking(site) as (asker, samples):
        vectors = argument_vectors(asker, samples)
        check.evidence.append(
            f"{len(samples.calls)} tools, {len(vectors)} places for text; not called: {_left(samples.failures)}"
        )
        if site.statements is None:
            judge_by_answers(check, vectors)
            return
        call = plainest(samples)
        judge_by_statements(
            check, site.statements, vectors, lambda mark: asker.call(call.name, call.arguments, {REQUEST_ID: mark})
        )


def _left(failures: dict[str, str]) -> str:
    return ", ".join(f"{name} ({why[:60]})" for name, why in sorted(failures.items())) or "none"
