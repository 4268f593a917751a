"""A client's text in a header is a value to the database, and never a part of a statement."""

from harness.collector import OpenCheck
from security.probe.injection.asking import asking
from security.probe.injection.sql_answers import judge_by_answers
from security.probe.injection.sql_statements import judge_by_statements
from security.probe.injection.vectors import REQUEST_ID, beside_vectors, header_vectors, plainest
from security.probe.probe import probe
from security.probe.site import Site


@probe("injection.sql-headers", "No header is taken for SQL", "A05:2025", "API2:2023", "MCP:input-validation")
def sql_headers(check: OpenCheck, site: Site) -> None:
    """Send SQL in every header that a server may read, and look at the statements that it led to, or at the answers.

    At the endpoint, at the pages beside it, and at the webhook, which looks stores up before it knows who posts.
    """
    with asking(site) as (asker, samples):
        vectors = [*header_vectors(site, asker, samples), *beside_vectors(site)]
        if site.statements is None:
            judge_by_answers(check, vectors)
            return
        call = plainest(samples)
        judge_by_statements(
            check, site.statements, vectors, lambda mark: asker.call(call.name, call.arguments, {REQUEST_ID: mark})
        )
