"""What was read for one tenant is not served to another who asks the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import is_reading, sample_calls
from security.probe.isolation.asking import ask, calling
from security.probe.isolation.neighbours import everybodys, find_once, require_stranger, secrets_of, without_key
from security.probe.isolation.private import Private, identifying, private
from security.probe.isolation.varied import varied
from security.probe.probe import probe
from security.probe.site import Need, Site

REFERENCES = ("CWE-524", "CWE-200")


@probe(
    "isolation.cache",
    "What was read for one tenant is not served to another who asks the same",
    "A01:2025",
    "API1:2023",
    needs=(Need.KEY, Need.STRANGER),
)
def cache(check: OpenCheck, site: Site) -> None:
    """Let the owner read, and read again; then the stranger at once, with the same arguments.

    What is the stranger's own is taken from calls with arguments that nobody else used, lest a shared cache have its
    answers swapped before anything is compared.
    """
    stranger_tenant = require_stranger(site)
    with calling(site, site.owner) as ours, calling(site, stranger_tenant) as theirs:
        samples = sample_calls(site, ours)
        reading = [call for call in samples.calls.values() if is_reading(call.tool)]
        variants = {call.name: varied(call) for call in reading}
        own = [ask(theirs, name, calls[0]).all for name, calls in variants.items() if calls]
        common = [*everybodys(ours), *own]
        always = (site.owner.store, *secrets_of(site.owner))
        cached, reads, secrets = 0, list[tuple[str, Mapping[str, Any]]](), set[str]()
        for call in reading:
            arguments = without_key((variants[call.name] or [dict(call.arguments)])[-1], site.owner.key)
            first, second = (ask(ours, call.name, arguments) for _ in range(2))
            if not (first.ok and second.ok):
                continue
            cached += second.structured.get("cached") is True
            secret = private([first.text, second.text], common, always=always)
            seen = ask(theirs, call.name, arguments)
            if not set(identifying(first.text)) & secret.texts:
                continue
            check.examined += 1
            reads.append((call.name, arguments))
            secrets |= secret.texts
            if secret.told(seen.all, arguments):
                message = f"{call.name} gives the stranger what the owner had just read with the same arguments"
                find_once(check, "shared-cache", message, call.name, REFERENCES)
        check.evidence.append(f"{check.examined} reads that tell what is the owner's; {cached} were said to be cached")
        _register_the_same(check, site, reads, Private(frozenset(secrets)))
        if not reading:
            check.not_applicable("no tool says that it only reads")
        elif not check.examined:
            if any(True for call in reading for _ in identifying(call.text)):
                raise Inconclusive("both tenants are told the same ids: give each tenant things of its own")
            check.not_applicable("no read tells the owner anything that is its own")


def _register_the_same(
    check: OpenCheck, site: Site, reads: Sequence[tuple[str, Mapping[str, Any]]], secret: Private
) -> None:
    """A tenant that registers the owner's store for itself, with a made-up API key, is served nothing of the owner's.

    Only where the server is ours: there it is known how a store is registered, and that the key to it is looked at.
    """
    if site.keys is None or site.upstream is None or site.owner.store is None:
        return
    with calling(site, site.keys.new_tenant()) as guesser:
        registration = {"store_id": site.owner.store, "api_key": "made-up", "store_name": "Probe"}
        for tool, given in (
            ("stores_register", registration),
            ("stores_use_store", {"identifier": site.owner.store}),
        ):
            answer = ask(guesser, tool, given)
            if secret.told(answer.all, [given, site.owner.store]):
                message = f"{tool} tells a tenant with a made-up key what is the owner's"
                find_once(check, "shared-cache", message, tool, REFERENCES)
            if not answer.ok:
                raise Inconclusive(f"{tool} refused the owner's store, so no tenant could be served from its cache")
        for tool, arguments in reads:
            if secret.told(ask(guesser, tool, arguments).all, [arguments, site.owner.store]):
                message = (
                    f"{tool} gives what the owner read to a tenant that named the owner's store with a made-up key"
                )
                find_once(check, "shared-cache", message, tool, REFERENCES)
    check.evidence.append(f"{len(reads)} reads by a tenant that registered the owner's store with a made-up key")
