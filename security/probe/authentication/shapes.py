"""What a key looks like, whoever made it: its parts, and keys that are nearly the same."""

import base64
import random
from collections.abc import Iterator

SEPARATORS = ".:|~"
"""What stands between a key's id and its secret, where it has both."""
UNSIGNED = ".".join((base64.b64encode(b'{"alg":"none"}').decode().rstrip("="), "e30", ""))
"""A JSON Web Token that nobody signed."""
HEXADECIMAL = frozenset("0123456789abcdefABCDEF-")


def parts(key: str) -> tuple[str, str]:
    """What names a key, with its separator, and what proves it; the halves of a key that shows no such parts."""
    for separator in SEPARATORS:
        head, found, secret = key.rpartition(separator)
        if found and head and secret:
            return head + found, secret
    middle = len(key) // 2
    return key[:middle], key[middle:]


def shuffled(text: str, chance: random.Random) -> str:
    """Another text of the same shape: a prefix that ends with _ stays, and of the rest the letters and digits change
    places, for only those that stand there are sure to be allowed.
    """
    prefix, found, rest = text.rpartition("_") if text.find("_") in range(8) else ("", "", text)
    movable = [character for character in rest if character.isalnum()]
    chance.shuffle(movable)
    return prefix + found + "".join(movable.pop() if character.isalnum() else character for character in rest)


def wrong_secrets(key: str) -> Iterator[tuple[str, str]]:
    """Keys that are nearly `key`, each with the name of what was done to it. None may open what `key` opens."""
    head, secret = parts(key)
    middle = len(secret) // 2
    yield "without its last character", key[:-1]
    yield "with half of its secret", head + secret[:middle]
    yield "with the first character of its secret alone", head + secret[:1]
    yield "without its secret", head
    yield "with its secret alone", secret
    yield "with a letter more", f"{key}A"
    yield "with its secret twice", key + secret
    yield "with one character of its secret changed", head + _changed(secret, middle)
    yield "with its secret reversed", head + secret[::-1]
    if not HEXADECIMAL.issuperset(secret):  # the case of hexadecimal digits says nothing
        yield "with the case of its secret swapped", head + secret.swapcase()
        yield "with its secret in capitals", head + secret.upper()
        yield "with its secret in small letters", head + secret.lower()
        yield "with the case of all of it swapped", key.swapcase()
    yield "with a blank in its secret", f"{head}{secret[:middle]} {secret[middle:]}"
    yield "with a tab in its secret", f"{head}{secret[:middle]}\t{secret[middle:]}"
    yield "with a no-break space at its end", f"{key}\xa0"
    yield "with a unit separator at its end", f"{key}\x1f"
    yield "with its last character as a wildcard", f"{key[:-1]}_"
    yield "with a wildcard for its secret", f"{head}%"
    yield "with a pattern for its secret", f"{head}.*"
    yield "in quotation marks", f'"{key}"'
    yield "with a comma and another", f"{head}{secret[:-1]}, {key}"


GARBAGE = (
    "",
    "null",
    "undefined",
    "None",
    "true",
    "0",
    "*",
    "[]",
    "{}",
    "nonsense",
    "admin",
    "' OR '1'='1",
    "../../etc/passwd",
    UNSIGNED,
    "A" * 4096,
)
"""What stands for no key, or for another program's."""


def _changed(text: str, place: int) -> str:
    return text[:place] + ("b" if text[place] == "a" else "a") + text[place + 1 :]
