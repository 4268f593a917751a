"""A call that is spelt in another way has no more for it."""

import functools
import itertools
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from harness.collector import OpenCheck
from security.probe.limits.bucket import Fate
from security.probe.limits.caller import Caller, calling
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import TRIES, exhausted
from security.probe.limits.line import Line
from security.probe.limits.sending import in_turn
from security.probe.site import Site

Spell = Callable[[Caller, int], bytes]
SAID = ("User-Agent", "X-Request-Id", "X-Session-Id", "X-Api-Key", "X-Tenant-Id", "Cookie", "Accept-Language")
"""Headers that a limiter may tell callers apart by."""
REWRITES = ("X-Original-URL", "X-Rewrite-URL")
"""Headers by which some proxies, and some servers, replace a request's path."""
METHODS = ("PUT", "PATCH", "post", "Post")
"""GET and DELETE are left out: they may open a stream, or end a session."""


@limit_probe("variants", "No other spelling of path, method, query or headers gets more than the allowance", at_least=3)
def variants(check: OpenCheck, site: Site) -> None:
    """With nothing left, send the call spelt differently each time, in those spellings that are served at all."""
    with exhausted(site, check) as drained:
        drained.let_others_refill()
        served = _served(site) if site is not drained.caller.site else None
        for way, spell in _ways():
            numbers = list(range(TRIES)) if served is None else served[way]
            if not numbers:
                check.evidence.append(f"calls {way} are not served at all")
                continue
            spelt = itertools.islice(itertools.cycle(numbers), TRIES)
            requests = [spell(drained.caller, number) for number in spelt]
            drained.try_way(check, way, way, functools.partial(in_turn, drained.line, requests))


def _served(site: Site) -> dict[str, list[int]]:
    """Which spellings of each way are served where calls are as good as free."""
    with calling(site, site, site.owner) as caller, Line(site) as line:
        return {
            way: [
                number
                for number in range(TRIES)
                if Fate.SERVED in {call.fate for call in in_turn(line, [spell(caller, number)])}
            ]
            for way, spell in _ways()
        }


def _ways() -> Iterator[tuple[str, Spell]]:
    yield "with another query each time", lambda caller, number: caller.request(path=f"{_path(caller)}?probe={number}")
    yield "with other spellings of the path", _other_path
    yield "with other spellings of the header names", _other_case
    yield "with other spellings of the scheme before the key", _other_scheme
    yield "with another id each time", lambda caller, number: caller.request(body=caller.body(1000 + number))
    yield "with other content types", _other_type
    yield "with another method each time", lambda caller, number: caller.request(verb=METHODS[number % len(METHODS)])
    for name in SAID:
        yield f"with another {name} each time", functools.partial(_said, name, "probe={}")
    for name in REWRITES:
        yield f"with another {name} each time", functools.partial(_said, name, "/probe/{}")
    yield "with X-HTTP-Method-Override", functools.partial(_said, "X-HTTP-Method-Override", "PUT")


def _said(name: str, value: str, caller: Caller, number: int) -> bytes:
    return caller.request(headers={name: value.format(number)})


def _other_path(caller: Caller, number: int) -> bytes:
    return caller.request(path=_spellings(_path(caller))[number])


def _other_scheme(caller: Caller, number: int) -> bytes:
    return caller.request().replace(b"\r\nAuthorization: Bearer ", b"\r\nAuthorization: " + _turned(b"bearer ", number))


def _path(caller: Caller) -> str:
    return urlsplit(caller.site.url).path or "/"


def _spellings(path: str) -> list[str]:
    """The path in TRIES ways that some servers, or some proxies, take for the same."""
    bare = path.strip("/")
    encoded = f"%{ord(bare[0]):02x}{bare[1:]}" if bare else ""
    before, after = ("/", "//", "/./", "/x/../"), ("", "/", ";x=1")
    spelt = [f"{first}{bare}{last}" for first, last in itertools.product(before, after)]
    return [*[each for each in spelt if each != path], f"/{encoded}", f"/{bare.upper()}", *spelt][:TRIES]


def _other_case(caller: Caller, number: int) -> bytes:
    head, gap, body = caller.request().partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    names = [line.partition(b":") for line in lines]
    turned = [b"".join((_turned(name, number), colon, value)) for name, colon, value in names]
    return b"\r\n".join([first, *turned]) + gap + body


def _turned(name: bytes, number: int) -> bytes:
    """The name with the letters of this number's bits in upper case."""
    text = name.decode().lower()
    return "".join(each.upper() if number >> place % 4 & 1 else each for place, each in enumerate(text)).encode()


def _other_type(caller: Caller, number: int) -> bytes:
    kinds = ("application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;a={}")
    return caller.request(headers={"Content-Type": kinds[number % 4].format(number)})
