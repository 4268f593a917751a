"""A session's id is no key, belongs to whom it was given, and cannot be guessed."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence

from harness.client import LEGACY_VERSIONS, Client
from harness.client.session import SESSION_HEADER
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.verdict import Severity
from security.probe import wire
from security.probe.authentication.door import guarded_door
from security.probe.authentication.session_ids import look_at
from security.probe.authentication.shapes import shuffled
from security.probe.calls import SampleCall, is_reading, sample_calls
from security.probe.isolation.asking import Patient, ask
from security.probe.isolation.neighbours import neighbours, nothing_apart, without_key
from security.probe.isolation.private import texts_of
from security.probe.messages import body, connect_in, is_answered, send
from security.probe.patience import patiently
from security.probe.probe import probe
from security.probe.site import Need, Site

IDS = 20
LEAST_BITS = 112
"""ASVS 5.0 (7.2.3) asks for 128 bits, and MCP takes a random UUID's 122 for enough. Twenty ids may show some fewer."""
STREAM_SECONDS = 2.0
HEAD_END = re.compile(rb"\r\n\r\n")
EVENTS = re.compile(rb"(?i)\r\ncontent-type:\s*text/event-stream")
ONLY_KEY = ("CWE-287", "CWE-384")
OTHERS = ("CWE-639", "CWE-384")
MADE_UP, ENDED = "a made-up session", "a session that was ended"
Headers = Mapping[str, str | None]


@probe(
    "authentication.session",
    "A session's id is no key, serves nobody else, and cannot be guessed",
    "A07:2025",
    "API2:2023",
    "MCP:session-hijacking",
)
def session(check: OpenCheck, site: Site) -> None:
    """Use the owner's session without its key, with a made-up one and with the stranger's; and open some more.

    MCP's "Security Best Practices" (revision 2025-11-25, Session Hijacking): servers MUST verify all requests, MUST NOT
    use sessions for authentication, MUST use secure ids that are not deterministic, and SHOULD bind them to the user.
    So it is high where the id stands for a key, or can be guessed; and medium where another tenant's key is let into
    the session and told nothing of the owner's, or anybody ends it. Unknown and ended ids are answered 404 by the
    transport's specification; what else they come to for who has a key is no finding.
    """
    if site.owner.key is None:
        check.not_applicable("it asks nobody for a key: no session can stand for one (see authentication.absent-key)")
        return
    client = _open(site)
    if client is None or client.session_id is None:
        if client is not None:
            client.close()
        check.not_applicable("it opens no session: each request stands for itself, with its own key")
        return
    with client:
        guarded_door(site)
        owner = Patient(client)
        ids = [client.session_id, *(_draw(site, client) for _ in range(IDS - 1))]
        _judge_ids(check, ids)
        if ids.count(client.session_id) > 1:
            return  # which was ended with the others
        visitor = Visitor(check, site, owner, _reading_call(site, owner))
        visitor.require_owner()
        made_up = shuffled(site.owner.key, random.SystemRandom())
        keyless: dict[str, str | None] = {"without a key": None, "with a made-up key": made_up}
        _without_its_key(visitor, keyless, ids[-1])
        if site.stranger is not None:
            _with_anothers(visitor, str(site.stranger.key))
        visitor.require_owner()
        check.evidence.append(f"in its session the owner itself {' and '.join(visitor.answered(site.owner.key))}")
        others = {**keyless, **({"with the stranger's key": site.stranger.key} if site.stranger else {})}
        _end(visitor, others)
    if site.stranger is None and not check.findings:
        raise Inconclusive(f"whether another tenant's key opens the session was not asked: it needs {Need.STRANGER}")


class Visitor:
    """Asks in the owner's session, with whatever key."""

    def __init__(self, check: OpenCheck, site: Site, owner: Client, call: SampleCall | None) -> None:
        self.check = check
        self.site = site
        self.owner = owner
        self.call = call
        """A reading call that succeeds for the owner."""

    def answered(self, key: str | None, session: str | None = None) -> list[str]:
        """What somebody gets who shows this key (None: none) and this session, the owner's unless one is given."""
        return list(self._answered(_shown(key), session or str(self.owner.session_id)))

    def _answered(self, shown: Headers, session: str) -> Iterator[str]:
        headers = {**shown, SESSION_HEADER: session}
        self.check.examined += 1
        if is_answered(send(self.owner, body(self.owner), headers)):
            yield "is told the tools"
        if self.call is not None and ask(self.owner, self.call.name, self.call.arguments, headers).ok:
            yield f"is answered by {self.call.name}"
        opened = self.raw("GET", shown, session, {"Accept": "text/event-stream"})
        if opened.status == 200 and EVENTS.search(opened.data):
            yield "gets the stream of its messages"

    def raw(
        self, method: str, shown: Headers, session: str, further: Mapping[str, str] | None = None
    ) -> wire.RawAnswer:
        """The head of the answer to a request without a body."""
        version = {"MCP-Protocol-Version": str(self.owner.version), SESSION_HEADER: session}
        head = wire.head(
            self.site,
            {**version, "Authorization": shown["Authorization"] or "", "Content-Type": "", **(further or {})},
            method=method,
        )

        def once() -> wire.RawAnswer:
            with wire.opened(self.site) as connection:
                connection.sendall(head)
                return wire.read_all(connection, STREAM_SECONDS, HEAD_END)

        return patiently(once)

    def is_open(self) -> bool:
        """Whether the owner is still answered in its session."""
        return is_answered(send(self.owner, body(self.owner)))

    def require_owner(self) -> None:
        """Raise Inconclusive unless the owner is."""
        if not self.is_open():
            raise Inconclusive("the owner is refused in its own session by now: what was refused before says nothing")


def _open(site: Site) -> Client | None:
    """A client of the newest revision that may have sessions; None where the server speaks none of them."""
    return next(filter(None, (connect_in(site, version) for version in reversed(LEGACY_VERSIONS))), None)


def _reading_call(site: Site, owner: Client) -> SampleCall | None:
    """A call that only reads, and shows no key by itself; None where none succeeds."""
    calls = sample_calls(site, owner).calls.values()
    return next(
        (each for each in calls if is_reading(each.tool) and site.owner.key not in texts_of(each.arguments)), None
    )


def _without_its_key(visitor: Visitor, keys: Mapping[str, str | None], ended: str) -> None:
    """Ask without the owner's key: in its session, in one that nobody has opened, in one that is at its end."""
    unknown = _unknown(visitor)
    shown: list[tuple[str, str | None, str, str | None]] = [
        ("the owner's session", None, who, key) for who, key in keys.items()
    ]
    # A made-up key more would be one more wrong key that the server counts.
    shown += [(which, each, "without a key", None) for which, each in ((MADE_UP, unknown), (ENDED, ended))]
    for which, each, who, key in shown:
        if got := visitor.answered(key, each):
            message = f"whoever shows the id of {which} {who} {' and '.join(got)}: that needs its own key"
            visitor.check.find("session-is-key", message, key=f"{which} {who}", references=ONLY_KEY)
    for which, each in ((MADE_UP, unknown), (ENDED, ended)):
        said = "is answered" if visitor.answered(visitor.site.owner.key, each) else "is refused"
        visitor.check.evidence.append(f"with its own key and the id of {which} the owner {said}")
    visitor.require_owner()


def _with_anothers(visitor: Visitor, key: str) -> None:
    """Ask in the owner's session with the stranger's key: nothing of the owner's may come, and best nothing at all."""
    got = visitor.answered(key)
    if not got:
        visitor.check.evidence.append("the stranger's key is refused in the owner's session")
        return
    if told := _owners_told(visitor, key):
        for tool in told:
            message = (
                f"{tool}, called with the stranger's key in the owner's session, tells what only the owner may see"
            )
            visitor.check.find("session-over-key", message, location=tool, key=tool, references=OTHERS)
    elif set(got) - set(visitor.answered(key, _unknown(visitor))):
        message = f"whoever shows the id of the owner's session with a key of another tenant's {' and '.join(got)}"
        visitor.check.find(
            "session-unbound", f"{message}: the session is not bound to whom it was given", key="unbound",
            references=OTHERS, severity=Severity.MEDIUM,
        )  # fmt: skip
    else:
        visitor.check.evidence.append("the stranger's key is answered whatever session it names, with its own alone")


def _owners_told(visitor: Visitor, key: str) -> list[str]:
    """The tools that tell the stranger what is the owner's in the owner's session, and not in the stranger's own."""
    telling = []
    with neighbours(visitor.site) as both:
        if reason := nothing_apart(both):
            visitor.check.evidence.append(reason)
            return []
        for call in both.owner.samples.calls.values():
            if not is_reading(call.tool):
                continue
            arguments = without_key(call.arguments, visitor.site.owner.key)
            visitor.check.examined += 1
            here = both.private.told(ask(visitor.owner, call.name, arguments, _shown(key)).all, arguments)
            if set(here) - set(both.private.told(both.stranger.ask(call.name, arguments).all, arguments)):
                telling.append(call.name)
    return telling


def _judge_ids(check: OpenCheck, ids: Sequence[str]) -> None:
    """What ids of sessions that were opened one after the other look like."""
    looks = look_at(ids)
    check.examined += looks.ids
    check.evidence.append(str(looks))
    if looks.different < looks.ids:
        check.find("repeated-session", f"sessions have the same id: {looks}", key="same", references=("CWE-330",))
    elif looks.bits < LEAST_BITS:
        message = f"a session's id can be guessed: {looks}; {LEAST_BITS} are the least that counts as hard"
        check.find("guessable-session", message, key="guessable", references=("CWE-330", "CWE-340", "CWE-331"))


def _end(visitor: Visitor, keys: Mapping[str, str | None]) -> None:
    """Ask to end the owner's session with other keys than its own: it must go on."""
    for who, key in keys.items():
        visitor.check.examined += 1
        visitor.raw("DELETE", _shown(key), str(visitor.owner.session_id))
        if not visitor.is_open():
            message = f"whoever sends DELETE with the id of the owner's session {who} ends it"
            visitor.check.find("session-ended", message, key=who, references=OTHERS, severity=Severity.MEDIUM)
            return


def _draw(site: Site, owner: Client) -> str:
    """The id of a new session that has been ended. Raises Inconclusive where none was opened."""
    with site.connect(version=str(owner.version)) as client:
        if client.session_id is None:
            raise Inconclusive("it opens a session for some clients only: ask again")
        return client.session_id


def _unknown(visitor: Visitor) -> str:
    """An id of the same shape as the owner's, which no session has."""
    own = str(visitor.owner.session_id)
    other = shuffled(own, random.SystemRandom())
    return other if other != own else f"{own}0"


def _shown(key: str | None) -> Headers:
    """The header that shows a key; None leaves it out."""
    return {"Authorization": None if key is None else f"Bearer {key}"}
