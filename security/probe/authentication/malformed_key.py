"""What is nearly the owner's key, or no key at all, opens nothing."""

from harness.collector import OpenCheck
from security.probe.authentication.door import Told, guarded_door, still_open
from security.probe.authentication.shapes import GARBAGE, wrong_secrets
from security.probe.probe import probe
from security.probe.site import Need, Site

SCHEMES = ("Basic", "Token", "Digest", "ApiKey")
REFERENCES = ("CWE-287", "CWE-1390")


@probe(
    "authentication.malformed-key",
    "Only the very key lets one in: no part of it, no other spelling, no garbage",
    "A07:2025",
    "API2:2023",
    "MCP:transport-authentication",
    needs=(Need.KEY,),
    at_least=20,
)
def malformed_key(check: OpenCheck, site: Site) -> None:
    """Show the owner's key cut, extended, respelled and under other schemes; and what is no key."""
    key, door = str(site.owner.key), guarded_door(site)
    shown = [(f"the owner's key {how}", f"Bearer {text}") for how, text in wrong_secrets(key) if text != key]
    shown += [("the owner's key under another scheme", f"{scheme} {key}") for scheme in SCHEMES]
    shown += [("the owner's key without a scheme", key), ("a scheme without a key", "Bearer")]
    shown += [("what is no key", f"Bearer {text}") for text in GARBAGE]
    for how, value in shown:
        check.examined += 1
        if door.ask(value.encode("latin-1")) is Told.IN:
            message = f"{how} is let in: whoever has or guesses less than the key needs no more"
            check.find("malformed-key", message, key=f"{how} {value.partition(' ')[0]}", references=REFERENCES)
    still_open(door)
    check.evidence.append(f"{check.examined} wrong spellings shown, the owner let in before and after")
