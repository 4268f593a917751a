"""The webhook takes what a store's own API key signed, and its refusals tell nobody which stores there are."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping

from harness.client.transport import HttpAnswer
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.deliveries import HASH_HEADER, STORE_HEADER, deliver, order, required_webhook, signature
from security.probe.probe import probe
from security.probe.site import Need, Site, Webhook

REFERENCES = ("CWE-347", "CWE-345")
FORGED = 2
"""The order that is forged; another is signed."""


@probe(
    "authentication.webhook",
    "The webhook takes only what a store's own key signed, and tells nobody which stores there are",
    "A07:2025",
    "A08:2025",
    "API2:2023",
    needs=(Need.KEY, Need.WEBHOOK),
    at_least=10,
)
def webhook(check: OpenCheck, site: Site) -> None:
    """Post an order that is signed, then one in every way that is not; at the end the signed one again."""
    hook = required_webhook(site)
    _require_taken(site, hook)
    for how, headers, query in _forgeries(site, hook):
        answer = deliver(site, order(FORGED), headers, query=query)
        check.examined += 1
        if answer.status < 400:
            message = f"an order {how} is taken (HTTP {answer.status}): whoever reaches the webhook posts for any store"
            check.find("unsigned-delivery", message, location=hook.path, key=how, references=REFERENCES)
        elif answer.status >= 500:
            message = f"an order {how} is answered with HTTP {answer.status}: it got further than a refusal"
            check.find("broken-delivery", message, location=hook.path, key=f"{how} broken", references=("CWE-755",))
    _judge_refusals(check, site, hook)
    _require_taken(site, hook)


def _require_taken(site: Site, hook: Webhook) -> None:
    """Raise Inconclusive unless what the store's key signed is taken: else the refusals would say nothing."""
    posted = order(1)
    answer = deliver(site, posted, {STORE_HEADER: hook.store, HASH_HEADER: signature(hook.api_key, posted)})
    if answer.status >= 300:
        raise Inconclusive(f"an order that the store's own key signed is refused with HTTP {answer.status}")


def _forgeries(site: Site, hook: Webhook) -> Iterator[tuple[str, Mapping[str, str], str]]:
    """What each forgery is like, its headers and its query. None may be taken."""
    posted = order(FORGED)
    right, made_up = signature(hook.api_key, posted), secrets.token_hex(32)
    hashes = {
        "with a made-up hash": made_up,
        "with an empty hash": "",
        "with the hash of another order": signature(hook.api_key, order(1)),
        "with a hash that an empty key made": signature("", posted),
        "with a hash that the store's id made": signature(hook.store, posted),
        "with a hash that no key made": hashlib.sha256(posted).hexdigest(),
        "with half of its hash": right[: len(right) // 2],
        "with the first letter of its hash": right[:1],
        "with its hash and a letter more": f"{right}a",
        "with its hash turned round": right[::-1],
        "with a wildcard for its hash": "%",
        "with a hash of noughts": "0" * len(right),
        "with null for a hash": "null",
    }
    for how, given in hashes.items():
        yield how, {STORE_HEADER: hook.store, HASH_HEADER: given}, ""
    yield "without a hash", {STORE_HEADER: hook.store}, ""
    yield "without store or hash", {}, ""
    yield "with its hash in the address", {STORE_HEADER: hook.store}, f"?{HASH_HEADER}={right}&hash={right}"
    if site.owner.key is not None:
        bearer = {"Authorization": f"Bearer {site.owner.key}"}
        yield "with a tenant's key in place of a hash", {STORE_HEADER: hook.store, **bearer}, ""
    others = {"another tenant's store": site.stranger.store if site.stranger else None, "no store": ""}
    for whose, store in others.items():
        if store is not None and store != hook.store:
            yield f"of {whose} with the owner's hash", {STORE_HEADER: store, HASH_HEADER: right}, ""
    for spelt in ("' OR '1'='1", "%", "*"):
        yield f"of a store called {spelt}", {STORE_HEADER: spelt, HASH_HEADER: right}, ""


def _judge_refusals(check: OpenCheck, site: Site, hook: Webhook) -> None:
    """Who has no key must not find out which stores are registered here."""
    made_up = f"9{secrets.randbelow(10**8):08d}"
    known, unknown = (
        deliver(site, order(FORGED), {STORE_HEADER: store, HASH_HEADER: "0" * 64}) for store in (hook.store, made_up)
    )
    check.examined += 1
    if _words(known, hook.store) != _words(unknown, made_up):
        message = "a wrong hash is refused otherwise for a store that is registered than for one that is not"
        check.find("telling-refusal", message, location=hook.path, key="telling", references=("CWE-204",))


def _words(answer: HttpAnswer, store: str) -> tuple[int, str]:
    """Status and text of a refusal, without what is the request's own."""
    text = answer.body.decode("utf-8", "replace")
    with contextlib.suppress(ValueError, AttributeError):
        said = json.loads(text)
        said.get("error", {}).pop("request_id", None)
        text = json.dumps(said)
    return answer.status, text.replace(store, "*")
