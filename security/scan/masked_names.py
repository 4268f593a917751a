"""What is told of a file whose name holds a secret: enough to find it, and not the secret."""

import hashlib
import re
from collections.abc import Collection
from itertools import islice

SHORTEST, SHOWN, HIDDEN = 12, 4, "…"
"""Characters of a secret that has a known shape, at least; those at either end that are told; and for the others."""
MOST_TEXTS = 500_000
"""How many parts of a name are tried for the secret in it: all of one of a thousand characters."""


def masked(path: str, digests: Collection[str]) -> str:
    """The path without the middle of each secret in it; its folder alone where one of them cannot be told.

    detect-secrets gives digests only: the secrets are those parts of the path that have them.
    """
    parts = (path[begin:end] for begin in range(len(path)) for end in range(begin + SHORTEST, len(path) + 1))
    secrets = {part for part in islice(parts, MOST_TEXTS) if digest(part) in digests}
    if len(secrets) < len(digests):
        folder = path.rpartition("/")[0]
        return f"{folder}/(a name)" if folder else "(a name)"
    letters = list(path)
    for secret in secrets:
        for found in re.finditer(re.escape(secret), path):
            hidden = range(found.start() + SHOWN, found.end() - SHOWN)
            letters[hidden.start : hidden.stop] = HIDDEN * len(hidden)
    return re.sub(f"{HIDDEN}+", HIDDEN, "".join(letters))


def digest(text: str) -> str:
    """As detect-secrets names what it found."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
