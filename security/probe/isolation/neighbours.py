"""Two tenants on one server: what each can call, and what of the owner's the stranger must never see."""

import contextlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.client import Client
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.calls import SAMPLES, SampleCall, Samples, sample_calls
from security.probe.isolation.asking import Seen, ask, calling
from security.probe.isolation.private import Private, identifying, is_id, private, tells_ids, texts_of
from security.probe.site import Site, Tenant

FEW = 0.2
"""The share of tools that may have refused the owner."""


@dataclass(frozen=True)
class Party:
    """One tenant, and a call of every tool that succeeds for it."""

    tenant: Tenant
    client: Client
    samples: Samples

    def ask(self, tool: str, arguments: Mapping[str, Any]) -> Seen:
        """What a call of this tenant's comes to."""
        return ask(self.client, tool, arguments)

    @property
    def told(self) -> list[str]:
        """What its calls were answered."""
        return [call.text for call in self.samples.calls.values()]

    @property
    def store_names(self) -> list[str]:
        """How its store can be named: by its id, its name, its label."""
        facts = self.samples.facts
        named = [self.tenant.store, facts.get("store_id"), facts.get("store_name"), facts.get("label")]
        return list(dict.fromkeys(each for each in named if each))


@dataclass(frozen=True)
class Neighbours:
    """The owner, the stranger, what only the owner may see, and chance to make up ids with.

    `ids` are the owner's alone too, but some so short that they may stand anywhere. `aliases` name the owner's store.
    """

    owner: Party
    stranger: Party
    private: Private
    ids: Private
    aliases: tuple[str, ...]
    chance: random.Random

    def names_owners(self, arguments: Mapping[str, Any]) -> bool:
        """Whether any of some arguments is an id of the owner's."""
        return any(map(self.ids.holds, texts_of(arguments)))


@contextlib.contextmanager
def neighbours(site: Site) -> Iterator[Neighbours]:
    """Both tenants with their calls; first the stranger's, while nothing of the owner's can be in any cache."""
    stranger_tenant = require_stranger(site)
    with calling(site, stranger_tenant) as theirs, calling(site, site.owner) as ours:
        stranger = Party(stranger_tenant, theirs, sample_calls(site.as_owner(stranger_tenant), theirs))
        owner = Party(site.owner, ours, sample_calls(site, ours))
        sent = texts_of([dict(call.arguments) for call in stranger.samples.calls.values()])
        common = [*everybodys(ours), *stranger.told, *sent]
        aliases = tuple(each for each in owner.store_names if each not in stranger.store_names)
        secret = private(owner.told, common, always=(*aliases, *secrets_of(site.owner), site.owner.id))
        theirs_too = {*stranger.samples.facts.values(), *sent}
        facts = owner.samples.facts.items()
        short = {value for name, value in facts if is_id(name) and value not in theirs_too}
        yield Neighbours(owner, stranger, secret, Private(secret.texts | short), aliases, random.SystemRandom())


def require_stranger(site: Site) -> Tenant:
    """The second tenant. Raises Inconclusive where there is none."""
    if site.stranger is None:
        raise Inconclusive("there is no second tenant")
    return site.stranger


def secrets_of(tenant: Tenant) -> tuple[str, ...]:
    """The tenant's key and the longest part of it, where it has one."""
    if tenant.key is None:
        return ()
    return tenant.key, max(tenant.key.replace(":", ".").split("."), key=len)


def everybodys(client: Client) -> list[str]:
    """What every tenant may see: the tools' definitions, and what probes write themselves."""
    return [json.dumps(client.list_tools()), json.dumps(SAMPLES)]


def nothing_apart(both: Neighbours) -> str:
    """Why there is nothing to keep apart, empty where there is.

    Raises Inconclusive where the owner has no call that succeeds, and where it may be a hole that nothing is apart.
    """
    if not both.owner.samples.calls:
        why = next(iter(both.owner.samples.failures.values()), "there is no tool")
        raise Inconclusive(f"no call of the owner's succeeds: {why}")
    if both.private.texts - {*secrets_of(both.owner.tenant), both.owner.tenant.id}:
        return ""
    if any(True for answer in both.owner.told for _ in identifying(answer)):
        raise Inconclusive(
            "both tenants are told the same ids and addresses: either they are common to all, or nothing is kept apart;"
            " give each tenant things of its own"
        )
    if any(map(tells_ids, both.owner.told)):
        raise Inconclusive(
            "the owner is told ids, and all of them are so short that they may stand in anybody's answers: whether"
            " anything is kept apart cannot be told"
        )
    return "no answer tells the owner anything that is its own: there is nothing to keep apart"


def attempts(both: Neighbours, call: SampleCall) -> list[dict[str, Any]]:
    """The owner's call as the stranger would try it: as it is, with each of the owner's ids, in each of its stores."""
    base = without_key(call.arguments, both.owner.tenant.key)
    properties: Mapping[str, Any] = (call.tool.get("inputSchema") or {}).get("properties") or {}
    facts = without_key(both.owner.samples.facts, both.owner.tenant.key)
    tried = [base]
    tried += [{**base, name: facts[name]} for name in properties if both.ids.holds(facts.get(name))]
    stores = [name for name in properties if "store" in name or facts.get(name) in both.aliases]
    tried += [{**each, name: alias} for each in tuple(tried) for name in stores for alias in both.aliases]
    return list({json.dumps(each, sort_keys=True): each for each in tried}.values())


def without_key(arguments: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    """Arguments with half of the owner's key in its place: whoever shows the whole of it is the owner."""
    return {name: value if key is None or value != key else key[: len(key) // 2] for name, value in arguments.items()}


def find_once(check: OpenCheck, rule: str, message: str, tool: str, references: Sequence[str]) -> None:
    """Find what is wrong with a tool, unless that was found of it already."""
    if not any(each.rule == rule and each.location == tool for each in check.findings):
        check.find(rule, message, location=tool, key=tool, references=references)


def refuse_gaps(check: OpenCheck, party: Party) -> None:
    """Tell which tools no call succeeded for. Raises Inconclusive where they are more than a few."""
    failures, total = party.samples.failures, len(party.samples.calls) + len(party.samples.failures)
    if not failures:
        check.evidence.append(f"all {total} tools were called by the owner with success")
        return
    check.evidence.extend(f"{name} was not tried: {why}" for name, why in failures.items())
    refused = [name for name, why in failures.items() if not why.startswith("it writes")]
    if len(refused) > FEW * total:
        raise Inconclusive(
            f"{len(refused)} of {total} tools refused the owner, {refused[0]} among them: see the evidence"
        )
