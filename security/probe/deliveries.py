"""What OrderDesk posts to the webhook, signed or not, as docs/WEBHOOK.md says: a form with an order, two headers."""

import hmac
import json
from collections.abc import Mapping
from urllib.parse import urlencode

from harness.client.transport import HttpAnswer
from harness.errors import Inconclusive
from security.probe.pages import ask
from security.probe.site import Site, Webhook

STORE_HEADER, HASH_HEADER = "X-Order-Desk-Store-Id", "X-Order-Desk-Hash"
FORM = "application/x-www-form-urlencoded"


def order(number: int) -> bytes:
    """An order of this id as it is posted: nobody has it, so that at worst nothing is dropped from a cache."""
    return json.dumps({"id": f"probe-{number}"}).encode()


def signature(api_key: str, posted: bytes) -> str:
    """The hash of an order, keyed with the store's API key."""
    return hmac.new(api_key.encode(), posted, "sha256").hexdigest()


def deliver(site: Site, posted: bytes, headers: Mapping[str, str], *, query: str = "") -> HttpAnswer:
    """The answer to an order that is posted with these headers. Raises as `ask` does."""
    content = urlencode({"order": posted.decode()}).encode()
    path = required_webhook(site).path + query
    return ask(site, path, {"Content-Type": FORM, **headers}, method="POST", content=content)


def required_webhook(site: Site) -> Webhook:
    """The site's webhook. Raises Inconclusive."""
    if site.webhook is None:
        raise Inconclusive("there is no webhook whose signing key is known")
    return site.webhook
