"""The ways in for a client's text: every argument of every tool, the tool's name, every header that is looked at."""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from security.probe.calls import SampleCall, Samples
from security.probe.deliveries import FORM, HASH_HEADER, STORE_HEADER, deliver, signature
from security.probe.injection.asking import Asker, Seen, Vector
from security.probe.injection.places import Place, places
from security.probe.pages import ask
from security.probe.site import Site

HEADERS = (
    "Authorization",
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
    "Last-Event-ID",
    "X-Request-Id",
    "X-Correlation-Id",
    "Traceparent",
    "Idempotency-Key",
    "X-Api-Key",
    "X-Tenant-Id",
    "User-Agent",
    "Accept-Language",
    "Referer",
    "Origin",
    "Host",
    "Cookie",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Real-IP",
)
"""Headers that servers read, log, store or look something up by."""
REQUEST_ID = "X-Request-Id"
BESIDE = ("/health", "/metrics")
"""Pages beside the endpoint that many servers have."""
BESIDE_HEADERS = ("Authorization", "X-Request-Id", "User-Agent", "X-Forwarded-For")
"""Headers that are read for every page."""


def argument_vectors(asker: Asker, samples: Samples) -> list[Vector]:
    """Every place for text in every call that succeeds, and the name of a tool."""

    def of(place: Place) -> Vector:
        argument = next((step for step in reversed(place.path) if isinstance(step, str)), "")
        return Vector(
            place.name,
            lambda text: asker.call(place.call.name, place.fill(text)),
            f"{argument}{place.member}",
            place.call.text,
        )

    named = Vector("the name of a tool", lambda text: asker.call(text, {}), "")
    return [*(of(place) for place in places(samples)), named]


def header_vectors(site: Site, asker: Asker, samples: Samples) -> list[Vector]:
    """Every header of HEADERS, each on a call that succeeds without it."""
    call = plainest(samples)

    def of(header: str) -> Vector:
        return Vector(
            f"the header {header}",
            lambda text: asker.call(call.name, call.arguments, {header: _in_header(site, header, text)}),
            header,
        )

    return [of(header) for header in HEADERS]


def beside_vectors(site: Site) -> list[Vector]:
    """The headers of the pages beside the endpoint, those that answer, and of the webhook: what needs no key."""
    pages = [page for page in BESIDE if ask(site, page).status != NOT_FOUND]
    vectors = [_beside(site, page, header) for page in pages for header in BESIDE_HEADERS]
    if site.webhook is not None:
        headers = (STORE_HEADER, HASH_HEADER, *BESIDE_HEADERS)
        vectors += [_beside(site, site.webhook.path, header, posted=True) for header in headers]
    return vectors


NOT_FOUND = 404
ORDER = b"order=%7B%22id%22%3A%22probe%22%7D"


def _beside(site: Site, page: str, header: str, *, posted: bool = False) -> Vector:
    usual = {"Content-Type": FORM, STORE_HEADER: "probe", HASH_HEADER: "0" * 64} if posted else {}
    method, content = ("POST", ORDER) if posted else ("GET", b"")

    def send(text: str) -> Seen:
        headers = {**usual, header: _in_header(site, header, text)}
        answer = ask(site, page, headers, method=method, content=content)
        return Seen(answer.status < 400, answer.body.decode("utf-8", "replace"), answer.seconds)

    return Vector(f"the header {header} at {page}", send, f"{header} at {page}")


def posted_vectors(site: Site) -> list[Vector]:
    """The orders that are posted to the webhook, where there is one: signed as they must be, not signed, no JSON."""
    webhook = site.webhook
    if webhook is None:
        return []

    def of(name: str, *, signed: bool = True, whole: bool = True) -> Vector:
        def send(text: str) -> Seen:
            order = json.dumps({"id": text, "email": text, "shipping": {"first_name": text}})
            posted = (order if whole else order[:-1]).encode()
            made = signature(webhook.api_key, posted) if signed else "0" * 64
            answer = deliver(site, posted, {STORE_HEADER: webhook.store, HASH_HEADER: made})
            return Seen(answer.status < 400, answer.body.decode("utf-8", "replace"), answer.seconds)

        return Vector(name, send, "order")

    return [
        of("an order that is posted"),
        of("an order that is posted without its signature", signed=False),
        of("an order that is posted and is no JSON", whole=False),
    ]


def each_name(vectors: Sequence[Vector]) -> list[Vector]:
    """The first vector of each argument's name: for what hangs less on the tool than on what it takes."""
    return list({vector.argument: vector for vector in reversed(vectors)}.values())


def plainest(samples: Samples) -> SampleCall:
    """The call with the fewest arguments: what it answers hangs least on anything else."""
    calls: Sequence[SampleCall] = list(samples.calls.values())
    return min(calls, key=lambda call: len(call.arguments))


def _in_header(site: Site, header: str, text: str) -> str:
    """`text` as it would stand in this header."""
    parts = urlsplit(site.url)
    shapes = {
        "Authorization": f"Bearer {text}",
        "Origin": f"{parts.scheme}://{text}",
        "Referer": f"{parts.scheme}://{parts.netloc}/{text}",
        "Cookie": f"session={text}",
        "Forwarded": f'for="{text}"',
    }
    return shapes.get(header, text)
