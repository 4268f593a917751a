"""What an audit must say of each foreign server, probe by probe, and why that is true of it.

Looked at by hand, with requests written byte by byte, before it stood here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.verdict import CheckStatus

PASSED, FAILED = CheckStatus.PASSED, CheckStatus.FAILED
OPEN, NOT_APPLICABLE = CheckStatus.INCONCLUSIVE, CheckStatus.NOT_APPLICABLE


@dataclass(frozen=True)
class Verdict:
    """A check's status, why it is true, the number of findings, and words that its reason must hold.

    `noisy`: it measures time, so that it may stay open on a machine that does other things.
    """

    status: CheckStatus
    why: str
    findings: int = 0
    says: str = ""
    noisy: bool = False


SHARED: Mapping[str, Verdict] = {
    "target": Verdict(PASSED, "it answers, and lists its tools"),
    "authentication.absent-key": Verdict(PASSED, "its token verifier answers 401"),
    "authentication.malformed-key": Verdict(PASSED, "a token is known letter by letter, or not at all"),
    "authentication.withdrawn-key": Verdict(NOT_APPLICABLE, "its tokens are made elsewhere", says="issues them"),
    "authentication.mixed-key": Verdict(PASSED, "half of one token and half of another is none"),
    "authentication.key-in-query": Verdict(PASSED, "it looks at the header alone"),
    "authentication.session": Verdict(PASSED, "the SDK asks for the key each time, and its owner's; ids are UUIDs"),
    "authentication.timing": Verdict(PASSED, "both are looked up in one table", noisy=True),
    "authentication.brute-force": Verdict(FAILED, "it counts nobody's attempts", 1),
    "authentication.webhook": Verdict(NOT_APPLICABLE, "it has no webhook", says="webhook whose signing key"),
    "isolation.tools": Verdict(PASSED, "every statement names whose the notes must be"),
    "isolation.cache": Verdict(PASSED, "it keeps no answers"),
    "isolation.error-texts": Verdict(PASSED, "another's note is as unknown as none"),
    "isolation.idempotency": Verdict(NOT_APPLICABLE, "no tool takes such a key", says="no tool takes"),
    "isolation.pages": Verdict(NOT_APPLICABLE, "no tool has pages", says="page by page"),
    "isolation.public-output": Verdict(NOT_APPLICABLE, "it has no page beside its endpoint", says="no page"),
    "isolation.secrets": Verdict(PASSED, "its notes hold no secret, and its refusals tell none"),
    "isolation.stored-secrets": Verdict(NOT_APPLICABLE, "no tool takes one", says="keeps a secret"),
    "isolation.writes": Verdict(NOT_APPLICABLE, "whose writes would be made for good", says="issues them"),
    "protocol.slow-body": Verdict(FAILED, "uvicorn waits for heads and bodies without an end", 2),
    "protocol.header-mismatch": Verdict(PASSED, "the SDK compares both, and answers -32020"),
    "protocol.version-confusion": Verdict(PASSED, "the SDK answers 400 to a revision that it does not know"),
    "protocol.large-body": Verdict(PASSED, "the SDK answers 413 from 4 MiB on, also to a length announced"),
    "protocol.nesting": Verdict(PASSED, "the parser's recursion ends in a parse error, 400"),
    "protocol.duplicate-keys": Verdict(FAILED, "its parsers take the last of two members", 6),
    "protocol.encoding": Verdict(FAILED, "json.loads guesses UTF-16 and UTF-32, and lets surrogates through", 3),
    "protocol.numbers": Verdict(PASSED, "what is too large is a parse error or an invalid argument"),
    "protocol.desync": Verdict(PASSED, "asked directly, no connection is shared"),
    "protocol.framing": Verdict(PASSED, "httptools refuses every shape that is in doubt"),
    "protocol.repeated-headers": Verdict(FAILED, "Starlette takes the first of two; the SDK compares with the body", 3),
    "protocol.rebinding": Verdict(PASSED, "on loopback the SDK answers 421 and 403 by default"),
    "protocol.cross-origin": Verdict(PASSED, "it sends no CORS header"),
    "protocol.methods": Verdict(PASSED, "other methods are answered 405, or 400"),
    "configuration.headers": Verdict(FAILED, "it sends neither nosniff nor no-store", 6),
    "configuration.tls": Verdict(NOT_APPLICABLE, "it is asked over loopback", says="loopback"),
    "configuration.errors": Verdict(PASSED, "its errors are JSON-RPC's, without a word of the inside"),
    "configuration.public-pages": Verdict(PASSED, "it has no page beside its endpoint"),
    "configuration.local-binding": Verdict(PASSED, "it listens on 127.0.0.1"),
    **dict.fromkeys(
        (
            "limits.allowance",
            "limits.refill",
            "limits.spoofed-address",
            "limits.variants",
            "limits.connections",
            "limits.pipelining",
            "limits.eras",
            "limits.methods",
            "limits.invalid",
            "limits.batch",
            "limits.keys",
            "limits.neighbour",
            "limits.clock-edges",
        ),
        Verdict(OPEN, "it may have a limit; nobody said which", says="give rate_limit_rpm"),
    ),
    "injection.sql": Verdict(PASSED, "values are parameters of its statements"),
    "injection.sql-second-order": Verdict(PASSED, "and so is what was stored"),
    "injection.sql-headers": Verdict(PASSED, "no header reaches a statement"),
    "injection.log": Verdict(NOT_APPLICABLE, "its log is not ours to read", says="server's log"),
    "injection.metrics": Verdict(OPEN, "nobody gave a token for metrics", says="admin_token_env"),
    "injection.prompt": Verdict(PASSED, "its descriptions are plain sentences"),
    "injection.prompt-in-data": Verdict(FAILED, "what nobody sees is stored, and comes back as it was", 1),
    "injection.request-forgery": Verdict(PASSED, "it fetches nothing"),
    "surface.lock": Verdict(OPEN, "nobody pinned it", says="./inv audit.pin --target "),
}
NEEDS_A_KEY = (
    "authentication.malformed-key",
    "authentication.withdrawn-key",
    "authentication.mixed-key",
    "authentication.key-in-query",
    "authentication.timing",
    "authentication.brute-force",
    "authentication.webhook",
)
NEEDS_A_SECOND = (
    "isolation.tools",
    "isolation.cache",
    "isolation.error-texts",
    "isolation.idempotency",
    "isolation.pages",
    "isolation.public-output",
    "isolation.writes",
)
WITHOUT_A_SECOND: Mapping[str, Verdict] = dict.fromkeys(
    ("authentication.mixed-key", *NEEDS_A_SECOND),
    Verdict(OPEN, "nobody gave a second tenant's key", says="other_token_env"),
)
STATELESS: Mapping[str, Verdict] = {
    "authentication.session": Verdict(NOT_APPLICABLE, "it is told to keep none", says="opens no session"),
}
WITHOUT_KEYS: Mapping[str, Verdict] = {
    **dict.fromkeys((*NEEDS_A_KEY, *NEEDS_A_SECOND), Verdict(OPEN, "nobody gave a key", says="a key: name")),
    "authentication.absent-key": Verdict(FAILED, "it asks nobody for a key", 1),
    "authentication.session": Verdict(NOT_APPLICABLE, "it asks nobody for a key", says="nobody for a key"),
    "protocol.repeated-headers": Verdict(FAILED, "as with keys, of which there are none", 2),
}
FASTMCP: Mapping[str, Verdict] = {
    "protocol.framing": Verdict(FAILED, "h11 takes both framings for chunks, and keeps the connection", 4),
    "protocol.repeated-headers": Verdict(FAILED, "h11 refuses two Hosts; Starlette takes the first, of origins any", 2),
    "protocol.rebinding": Verdict(FAILED, "host_origin_protection is off by default", 11),
}
FASTMCP_WITHOUT_KEYS: Mapping[str, Verdict] = {
    "protocol.repeated-headers": Verdict(FAILED, "as with keys, of which there are none", 1),
}
CARELESS: Mapping[str, Verdict] = {
    "isolation.tools": Verdict(FAILED, "a note goes to whoever knows its id", 1, "notes_get"),
    "isolation.error-texts": Verdict(OPEN, "the stranger is refused nothing", says="no refusal could be compared"),
    "injection.sql": Verdict(FAILED, "a search's text is written into its statement", 1, "notes_search text"),
}
LEGACY: Mapping[str, Verdict] = {
    "protocol.repeated-headers": Verdict(FAILED, "Starlette takes the first of two, also of revisions", 3),
    "protocol.header-mismatch": Verdict(NOT_APPLICABLE, "older revisions have no such headers", says="does not speak"),
    "protocol.encoding": Verdict(PASSED, "in legacy sessions pydantic reads the JSON, and that as UTF-8 alone"),
}
