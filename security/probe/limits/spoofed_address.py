"""A caller that says it comes from elsewhere has no more for it."""

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from harness.collector import OpenCheck
from security.probe.limits.bucket import Call
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import TRIES, Exhausted, exhausted
from security.probe.limits.sending import in_turn
from security.probe.site import Site

ADDRESSES: Mapping[str, str] = {
    "X-Forwarded-For": "{address}",
    "X-Forwarded-For, through a proxy": "{address}, 127.0.0.1",
    "Forwarded": "for={address};host=probe{number}.example.com",
    "X-Real-IP": "{address}",
    "True-Client-IP": "{address}",
    "CF-Connecting-IP": "{address}",
    "X-Client-IP": "{address}",
    "X-Forwarded-Host": "probe{number}.example.com",
    "X-Forwarded-Port": "10{number}",
    "Via": "1.1 probe{number}.example.com",
}
"""Headers in which a proxy says where a request came from; the addresses are those of RFC 5737's documentation."""


@limit_probe("spoofed-address", "No header that tells another address gets more than the allowance", at_least=5)
def spoofed_address(check: OpenCheck, site: Site) -> None:
    """With nothing left, call with another made-up address or host each time."""
    with exhausted(site, check) as drained:
        drained.let_others_refill()
        for name, value in ADDRESSES.items():
            header = name.partition(",")[0]
            each = [{header: value.format(address=f"203.0.113.{n}", number=n)} for n in range(10, 10 + TRIES)]
            drained.try_way(check, name, f"with another {header} each time", partial(_send, drained, each))
        hosts = [{"Host": host} for host in _hosts(drained.caller.site)]
        drained.try_way(check, "Host", "with other spellings of Host", partial(_send, drained, hosts))


def _hosts(site: Site) -> list[str]:
    """Names that the server may take for its own."""
    netloc = urlsplit(site.url).netloc
    name = urlsplit(site.url).hostname or ""
    ports = [f"{name}:{port}" for port in range(2000, 2000 + TRIES)]
    return [netloc.upper(), f"{name}.", name, "localhost", "127.0.0.1", "[::1]", *ports]


def _send(drained: Exhausted, each: list[dict[str, str]]) -> list[Call]:
    return in_turn(drained.line, [drained.caller.request(headers=headers) for headers in each])
