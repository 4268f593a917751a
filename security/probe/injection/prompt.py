"""What a model reads of a server describes, and neither hides anything nor gives orders."""

import json

from harness.client import Client
from harness.collector import OpenCheck
from harness.verdict import Severity
from security.probe.injection.hidden import COMMENT, hidden_in, orders_in, texts
from security.probe.probe import probe
from security.probe.site import Site

SHOWN = 40


@probe(
    "injection.prompt",
    "Names, descriptions and schemas hide nothing and give a model no orders",
    "A05:2025",
    "MCP:output-sanitization",
    severity=Severity.MEDIUM,
)
def prompt(check: OpenCheck, site: Site) -> None:
    """Look through every text that the server gives before anything is called."""
    with site.connect() as client:
        shown = definitions(client)
    for source, told in shown.items():
        for way, text in texts(told):
            check.examined += 1
            _judge(check, f"{source} {way}".strip(), text)
    check.evidence.append(f"looked through: {', '.join(shown)}")


def definitions(client: Client) -> dict[str, object]:
    """What the server says of itself and of all that it offers, by kind. Raises ClientError."""
    return {"instructions": client.instructions, "server": client.server, **client.list_definitions()}


def _judge(check: OpenCheck, place: str, text: str) -> None:
    if hidden := hidden_in(text):
        check.find(
            "hidden-characters",
            f"{place} has characters that a reader does not see and a model reads: {', '.join(hidden[:5])}",
            location=place,
            references=("CWE-1007", "CWE-150"),
            key=place,
        )
    for what in orders_in(text):
        check.find(
            "orders-to-a-model",
            f"{place} {what}: {json.dumps(text[:SHOWN])}…",
            location=place,
            references=("CWE-1427",),
            key=f"{place} {what}",
        )
    if COMMENT.search(text):
        check.find(
            "hidden-comment",
            f"{place} has a comment that vanishes where it is rendered, and that a model reads",
            location=place,
            references=("CWE-1007",),
            key=place,
        )
