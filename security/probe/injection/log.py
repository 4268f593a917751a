"""Whatever clients send, each line of the log is one JSON object that the server wrote, and holds no key of theirs."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.injection.asking import asking
from security.probe.injection.markers import Markers
from security.probe.injection.raw import BARE, send_raw
from security.probe.injection.storing import kept, storings
from security.probe.injection.vectors import (
    REQUEST_ID,
    argument_vectors,
    beside_vectors,
    each_name,
    header_vectors,
    plainest,
    posted_vectors,
)
from security.probe.isolation.neighbours import secrets_of
from security.probe.probe import Effect, probe
from security.probe.site import Need, Site

FORGED = "probe.forged"
PLAIN = "{mark}"
PERSON = "Jane Roe {mark}, 5 Elm Street, jane@roe.example"
ADDRESS = "jane.roe.{mark}@roe.example"
"""What people write where an id is expected; nobody takes it for one."""
LINES = '{mark}\n{"event": "probe.forged", "level": "error"}\r\nprobe.forged\r\x85\u2028{"event": "probe.forged"}\n'
ESCAPES = "{mark}\x1b[2J\x1b]0;probe\x07\x00\x9b31m\u202e"
LONG = "{mark}" + "a" * 100_000
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")
"""What a terminal obeys, or what ends a line somewhere."""
SECONDS = 5.0


@probe(
    "injection.log",
    "Each line of the log is one JSON object, without keys and texts, whatever clients send",
    "A09:2025",
    "A05:2025",
    effect=Effect.WRITES,
    needs=(Need.LOG,),
)
def log(check: OpenCheck, site: Site) -> None:
    """Send line ends, escape sequences and forged lines everywhere, and read the log that came of it.

    It holds no key, and no text that a client wrote, be it an argument, a name of a tool or a method, a header or an
    order that is posted: there stand the names and addresses of people. A word of letters and digits may stand in it:
    so a client names its request.
    """
    read = site.log
    if read is None:
        raise Inconclusive("there is no log")
    markers, places, hidden = Markers(), dict[str, str](), list(_secrets(site))

    def mark(place: str) -> str:
        places[new := markers.new()] = place
        return new

    before = len(read())
    with asking(site) as (asker, samples):
        vectors = argument_vectors(asker, samples)
        beside = [*header_vectors(site, asker, samples), *beside_vectors(site), *posted_vectors(site)]
        names = each_name(vectors)
        sendings = ((LINES, vectors), (ESCAPES, names), (PERSON, [*names, *beside]), (ADDRESS, beside))
        for text, ways in sendings:
            for vector in ways:
                vector.send(text.replace("{mark}", mark(vector.name)))
        vectors[0].send(LONG.replace("{mark}", mark("a long argument")))
        for storing in storings(asker.client.list_tools()):
            for text in (LINES, ESCAPES, PLAIN):
                marked = text.replace("{mark}", mark(f"a text stored with {storing.tool}"))
                with kept(check, asker, storing, marked) as now:
                    hidden.append(("an API key that a client registered", str(now.arguments.get("api_key", ""))))
        raw = send_raw(site, LINES, mark) + send_raw(site, PERSON, mark)
        call, last = plainest(samples), markers.new()
        asker.call(call.name, call.arguments, {REQUEST_ID: last, "User-Agent": last})
    written = _wait_for(read, before, last)
    check.examined = len(written)
    check.evidence.append(
        f"{len(places)} hostile texts, {raw} of them in raw requests; {len(written)} lines, in which stand marks of"
        f" {sum(bool(markers.found(line)) for line in written)}"
    )
    for (rule, place), (message, count) in wrong_lines(written, places, markers).items():
        told = f"{place} {message} ({count} of {len(written)} lines)"
        check.find(rule, told, location=place, references=("CWE-117", "CWE-150"), key=f"{rule} {place}")
    _judge_secrets(check, read(), hidden)
    for place, count in told_texts(written, {mark: where for mark, where in places.items() if where != BARE}, markers):
        told = f"{place} stands in the log ({count} of {len(written)} lines)"
        message = f"{told}: whoever reads it reads what clients write, and that is names and addresses of people too"
        check.find("log-text", message, location=place, references=("CWE-532",), key=f"log-text {place}")


def _secrets(site: Site) -> Iterator[tuple[str, str]]:
    """What nobody may read in a log, by what it is."""
    yield "the admin token", site.admin_token or ""
    yield "a store's API key", site.upstream.api_key if site.upstream else ""
    for whose, tenant in (("the owner's", site.owner), ("the stranger's", site.stranger)):
        yield from ((f"{whose} key ({place})", text) for place, text in enumerate(secrets_of(tenant) if tenant else ()))


def _judge_secrets(check: OpenCheck, text: str, hidden: Sequence[tuple[str, str]]) -> None:
    """Find each secret that stands in the log, from the server's start on."""
    for what in dict.fromkeys(what for what, secret in hidden if secret and secret in text):
        message = f"{what} stands in the log: whoever reads it can use the key"
        check.find("log-secret", message, location=what, references=("CWE-532", "CWE-312"), key=f"log-secret {what}")


def told_texts(lines: Sequence[str], places: Mapping[str, str], markers: Markers) -> list[tuple[str, int]]:
    """The places whose marks stand in lines, and in how many of them."""
    counts = Counter(
        place for line in lines for place in {places[mark] for mark in markers.found(line) & places.keys()}
    )
    return sorted(counts.items())


def wrong_lines(
    lines: list[str], places: Mapping[str, str], markers: Markers
) -> dict[tuple[str, str], tuple[str, int]]:
    """What is wrong with lines, and in how many, by rule and by the place whose mark they hold."""
    wrong: dict[tuple[str, str], tuple[str, int]] = {}
    for rule, line, message in _wrong(lines):
        marks = sorted(markers.found(line) & places.keys())
        place = places[marks[0]] if marks else "a text of a client's"
        first, count = wrong.get((rule, place), (message, 0))
        wrong[rule, place] = first, count + 1
    return wrong


def _wrong(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with lines: the rule, the line, and the rest of a sentence that begins with the place."""
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            yield "log-line", line, "makes a line in the log that is no JSON object: readers of the log lose or skip it"
        elif told.get("event") == FORGED:
            yield "log-forged-line", line, "makes a whole line of its own in the log: whoever calls forges events"
        if found := sorted({f"U+{ord(each):04X}" for each in CONTROL.findall(line)}):
            yield "log-control", line, f"stands in the log with {', '.join(found[:5])}, which terminals obey"


def _wait_for(read: Callable[[], str], before: int, mark: str) -> list[str]:
    """The whole lines since `before`, once the one with `mark` is there. Raises Inconclusive where it never is."""
    deadline = time.monotonic() + SECONDS
    while True:
        *lines, _ = read()[before:].split("\n")
        if any(mark in line for line in lines):
            return [line for line in lines if line]
        if time.monotonic() > deadline:
            raise Inconclusive("a call with an id and a user agent of its own is not in the log: it does not tell")
        time.sleep(0.05)
