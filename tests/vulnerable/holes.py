"""Every hole of the vulnerable server: which probe must find it, and what it is in one sentence.

A new hole is a line in `_TABLE` and, where the server does the right thing, `if self._holes.has("NAME"):` before the
wrong one. `tests/integration/security/probes/test_holes.py` then drives the probe against the server with that hole
alone, and every probe against the server without any; nothing else is to be written. Holes of the proxy before the
server begin with "proxy-" (proxy.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Hole:
    """One hole. `probe` is the id of the probe that must find it."""

    name: str
    probe: str
    sentence: str


_TABLE = (
    ("no-authentication", "authentication.absent-key", "Who shows no key is taken for the first tenant"),
    ("prefix-compare", "authentication.malformed-key", "A secret that is cut, or goes on, is as good as the right one"),
    ("case-insensitive", "authentication.malformed-key", "A secret counts whatever the case of its letters"),
    ("strips-secret", "authentication.malformed-key", "White space in a key is taken out before it is looked at"),
    ("revoked-works", "authentication.withdrawn-key", "A revoked key goes on working"),
    ("expired-works", "authentication.withdrawn-key", "A key works beyond its end"),
    ("rotated-works", "authentication.withdrawn-key", "The key before a rotation goes on working"),
    ("suspended-works", "authentication.withdrawn-key", "The keys of a suspended tenant go on working"),
    ("any-secret", "authentication.mixed-key", "A key's id works with the secret of any other key"),
    ("query-key", "authentication.key-in-query", "A key is taken from the address"),
    ("query-admin-token", "authentication.key-in-query", "The admin token is taken from the address"),
    ("trusts-connection", "authentication.withdrawn-key", "A connection goes on with the key that it began with"),
    ("slow-known-id", "authentication.timing", "Only the secret of an id that exists is hashed slowly"),
    ("skips-unknown-id", "authentication.timing", "Only the secret of an id that exists is hashed at all"),
    ("telling-refusal", "authentication.timing", "Only an id that exists is refused with 403"),
    ("no-throttle", "authentication.brute-force", "Wrong keys may be tried without end"),
    ("throttle-by-claim", "authentication.brute-force", "Wrong keys are counted by the address that a header claims"),
    ("no-throttle-by-address", "authentication.brute-force", "Wrong keys are counted by the id that they name alone"),
    ("throttle-known-ids", "authentication.brute-force", "Of wrong keys, the ids that exist alone are counted"),
    ("lockout", "authentication.brute-force", "After too many wrong keys the right one is refused as well"),
    ("unsigned-webhook", "authentication.webhook", "A delivery counts whatever its signature says"),
    ("one-webhook-key", "authentication.webhook", "The deliveries of every store are signed with one key"),
    ("session-is-key", "authentication.session", "Who shows a session's id and no key is taken for whom it was opened"),
    ("session-over-key", "authentication.session", "A session's id counts for more than the key that is shown with it"),
    ("session-unbound", "authentication.session", "Any key of any tenant is let into any session"),
    ("session-stream", "authentication.session", "The stream of a session's messages is open without a key"),
    ("session-ended-by-anybody", "authentication.session", "Who knows a session's id ends it, without a key"),
    ("session-counted", "authentication.session", "Sessions are numbered"),
    ("session-short", "authentication.session", "A session's id has 32 random bits"),
    ("session-repeated", "authentication.session", "All sessions of a key have one id"),
    ("cross-tenant", "isolation.tools", "An identifier is enough, whosever the thing is"),
    ("shared-cache", "isolation.cache", "Cached answers are found without asking who called"),
    ("telling-errors", "isolation.error-texts", "A refusal says whose the thing is that was asked for"),
    ("shared-idempotency", "isolation.idempotency", "Idempotency keys of all tenants are one"),
    ("unfiltered-pages", "isolation.pages", "From the second page on, a list holds everybody's"),
    ("telling-health", "isolation.public-output", "The open health page names tenants and stores"),
    ("secret-members", "isolation.secrets", "A store is told with what signs its deliveries, by its name"),
    ("secrets-in-refusals", "isolation.secrets", "A tool's refusal tells the password that the server uses"),
    ("token-in-headers", "isolation.secrets", "Answers have a header with the admin token, as a proxy would add it"),
    ("keys-in-results", "isolation.stored-secrets", "A store's API key is told as the store's label"),
    ("foreign-delete", "isolation.writes", "Who forgets a store forgets it for all tenants that have it"),
    ("foreign-choice", "isolation.writes", "Who chooses an active store takes everybody else's choice away"),
    ("foreign-update", "isolation.writes", "Whose an order is, is asked in rehearsals alone"),
    ("telling-register", "isolation.writes", "Who registers a store is told which other tenant has it"),
    ("no-limit", "limits.allowance", "Nobody is ever refused for calling too often"),
    ("stingy-limit", "limits.allowance", "A tenant gets four fifths of what it is allowed"),
    ("slow-refill", "limits.refill", "Of what should be refilled a tenant gets nine tenths"),
    ("limit-by-address", "limits.spoofed-address", "Calls are counted by tenant and by the address that headers claim"),
    ("limit-by-path", "limits.variants", "Calls are counted by tenant and by how the path and the scheme are spelled"),
    ("limit-by-connection", "limits.connections", "Calls are counted by tenant and connection"),
    ("limit-by-read", "limits.pipelining", "Requests that arrive together count as one"),
    ("limit-by-era", "limits.eras", "Calls are counted by tenant and protocol version"),
    ("limit-on-calls-alone", "limits.methods", "Only calls of tools cost anything"),
    ("initialize-refills", "limits.methods", "Who begins anew has the whole allowance again"),
    ("invalid-arguments-free", "limits.invalid", "A call whose arguments are refused costs nothing"),
    ("unknown-tool-free", "limits.invalid", "A call of a tool that there is not costs nothing"),
    ("nameless-free", "limits.invalid", "A call that names no tool costs nothing"),
    ("unknown-method-free", "limits.invalid", "A request of a method that there is not costs nothing"),
    ("refused-params-free", "limits.invalid", "A request whose parameters are refused has its token back"),
    ("batch-costs-one", "limits.batch", "An array of messages counts as one"),
    ("limit-by-key", "limits.keys", "Calls are counted by key"),
    ("shared-bucket", "limits.neighbour", "All tenants' calls are counted together"),
    ("fixed-window", "limits.clock-edges", "The whole allowance is there again every two seconds by the clock"),
    ("sql-concatenation", "injection.sql", "Text arguments are written into statements"),
    ("sql-second-order", "injection.sql-second-order", "Stored names are written into later statements"),
    ("sql-header", "injection.sql-headers", "Headers are written into the statement that keeps the audit"),
    ("sql-webhook", "injection.sql-headers", "The webhook's store id is written into a statement"),
    ("log-lines", "injection.log", "What a client sends is logged as it is, line ends included"),
    ("log-keys", "injection.log", "The key that a client shows is logged"),
    ("log-texts", "injection.log", "What a client sends is logged, in one JSON string"),
    ("log-stored-keys", "injection.log", "The API key of a store that is registered is logged"),
    ("log-request-ids", "injection.log", "Whatever a client gives as its request's id is logged as one"),
    ("log-unknown-stores", "injection.log", "The webhook logs the store's id also where nobody has such a store"),
    ("metric-labels", "injection.metrics", "What a client sends is a label of a metric, as it is"),
    ("poisoned-description", "injection.prompt", "A tool's description gives the reader instructions"),
    ("hidden-characters", "injection.prompt", "A tool's description has characters that nobody sees"),
    ("raw-text", "injection.prompt-in-data", "The text of a result holds what is stored as it is"),
    ("names-in-descriptions", "injection.prompt-in-data", "A tool's description names the store registered last"),
    ("names-in-errors", "injection.prompt-in-data", "A refusal names the store registered last"),
    ("fetches-urls", "injection.request-forgery", "Every argument that looks like a URL is fetched"),
    ("header-mismatch", "protocol.header-mismatch", "Headers need not say what the body says"),
    ("any-version", "protocol.version-confusion", "Any protocol version is served as if it were known"),
    ("no-body-limit", "protocol.large-body", "A body may be of any size"),
    ("chunks-unbounded", "protocol.large-body", "A body in chunks, without a length, may be of any size"),
    ("deep-json", "protocol.nesting", "JSON may nest until the parser gives up"),
    ("duplicate-keys", "protocol.duplicate-keys", "Of a repeated member the first is checked, and the last is done"),
    ("lax-encoding", "protocol.encoding", "Bytes that are no UTF-8 are replaced, not refused"),
    ("number-crash", "protocol.numbers", "Numbers that do not fit break the server"),
    ("no-body-timeout", "protocol.slow-body", "Heads and bodies may take for ever"),
    ("lax-framing", "protocol.framing", "Where a request ends is guessed when it says two things"),
    ("unknown-coding", "protocol.framing", "A coding that is not known is passed over, and the length counts"),
    ("bodiless-get", "protocol.framing", "What follows a GET is taken for the next request, also where it is its body"),
    ("proxy-by-length", "protocol.desync", "A proxy goes by the length where a request has chunks as well"),
    ("proxy-by-chunks", "protocol.desync", "A proxy takes any coding that has to do with chunks for chunks"),
    (
        "proxy-keeps-coding",
        "protocol.desync",
        "A proxy takes a body out of its chunks, and still says that it is in them",
    ),
    ("last-header-counts", "protocol.repeated-headers", "Of a repeated header the last counts"),
    ("any-host", "protocol.rebinding", "Any Host is answered"),
    ("any-origin", "protocol.rebinding", "Pages of any origin are answered"),
    ("any-host-beside", "protocol.rebinding", "Any Host is answered on all pages but the endpoint"),
    ("origin-by-case", "protocol.rebinding", "An origin is looked at where its scheme is in small letters"),
    ("open-cors", "protocol.cross-origin", "Pages of any origin may call with credentials and read the answers"),
    ("trace-method", "protocol.methods", "TRACE echoes, and a header replaces the method"),
    ("no-security-headers", "configuration.headers", "Answers have no security headers"),
    ("old-tls", "configuration.tls", "TLS 1.0 and weak ciphers are accepted"),
    ("debug-errors", "configuration.errors", "Refusals show the call stack and versions"),
    ("open-metrics", "configuration.public-pages", "Metrics and detailed health need no token"),
    ("health-paths", "configuration.public-pages", "The open health page tells where the database is"),
    ("any-key-for-operators", "configuration.public-pages", "A tenant's key opens what needs the operator's token"),
    ("other-address", "configuration.local-binding", "A server on 127.0.0.1 listens at another address as well"),
    ("changed-tool", "surface.lock", "A tool's description and schema are not those that were reviewed"),
)

HOLES: Mapping[str, Hole] = MappingProxyType({row[0]: Hole(*row) for row in _TABLE})


class OpenHoles:
    """The holes that are open. Raises KeyError for a name that is not in the table, when made and when asked."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(HOLES[name].name for name in names)

    def has(self, name: str) -> bool:
        """Whether the hole is open."""
        return HOLES[name].name in self._names
