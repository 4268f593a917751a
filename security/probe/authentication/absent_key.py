"""A request without a key is refused."""

from harness.collector import OpenCheck
from security.probe.authentication.door import Told, open_door, still_open
from security.probe.probe import probe
from security.probe.site import Site


@probe("authentication.absent-key", "Nobody is let in without a key", "A07:2025", "API2:2023")
def absent_key(check: OpenCheck, site: Site) -> None:
    """Ask without a key; and with the owner's, before and after, so that the refusal is no outage."""
    door = open_door(site)
    check.examined += 1
    if door.ask(None) is Told.IN:
        check.find("absent-key", "a request without a key is answered", key="absent", references=("CWE-306",))
    still_open(door)
