"""A secret that a tenant stores comes back in no answer: the server uses it, and nobody need read it again."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import Samples, sample_calls
from security.probe.injection.asking import Asker
from security.probe.injection.storing import Storing, kept, readings, storings
from security.probe.isolation.asking import calling
from security.probe.isolation.neighbours import Party, find_once, refuse_gaps
from security.probe.isolation.secret_texts import is_named, told
from security.probe.probe import Effect, probe
from security.probe.site import Site

WHAT = "the secret that was stored"


@probe(
    "isolation.stored-secrets",
    "A secret that a tenant stores comes back in no answer",
    "A01:2025",
    "API3:2023",
    "MCP:output-sanitization",
    effect=Effect.WRITES,
)
def stored_secrets(check: OpenCheck, site: Site) -> None:
    """Store a made-up secret where a tool takes one, read all that can be read, and remove it again."""
    with calling(site, site.owner) as client:
        ways = list(_with_secrets(client.list_tools()))
        if not ways:
            check.not_applicable("no tool says that it keeps a secret and only adds to the server's own data")
            return
        asker, samples = Asker(client), sample_calls(site, client)
        taken = [_store_and_read(check, asker, samples, storing) for storing in ways]
        if check.findings:
            return
        if not any(taken):
            raise Inconclusive("no tool stored a secret: see the evidence")
        refuse_gaps(check, Party(site.owner, client, samples))


def _with_secrets(tools: list[dict[str, Any]]) -> Iterator[Storing]:
    """The ways to store that take a secret among other things, made to take a new one."""
    for storing in storings(tools):
        secret = {name: "{secret}" for name, value in storing.arguments.items() if is_named(name) and value}
        if secret:
            yield replace(storing, arguments={**storing.arguments, **secret})


def _store_and_read(check: OpenCheck, asker: Asker, samples: Samples, storing: Storing) -> bool:
    """Whether it was stored; find where it is told again."""
    with kept(check, asker, storing, "Probe") as now:
        secret = str(next(value for name, value in now.arguments.items() if is_named(name)))
        answered = {storing.tool: [now.answer.text]}
        for name, arguments in readings(samples, now).values():
            answered.setdefault(name, []).append(asker.call(name, arguments).text)
    if not now.answer.ok:
        check.evidence.append(f"{storing.tool} does not take a made-up secret: {now.answer.text[:100]}")
    for tool, texts in answered.items():
        check.examined += len(texts)
        if told("\n".join(texts), {WHAT: secret}):
            message = f"{tool} tells the secret that {storing.tool} stored: whoever reads the answer can use it"
            find_once(check, "stored-secret", message, tool, ("CWE-200", "CWE-522"))
    check.evidence.append(f"{storing.tool} stored a secret; then {len(answered)} tools were asked")
    return now.answer.ok
