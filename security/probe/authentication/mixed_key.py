"""A key's id goes with its own secret alone."""

from collections.abc import Iterator

from harness.collector import OpenCheck
from security.probe.authentication.door import Told, bearer, guarded_door, still_open
from security.probe.authentication.shapes import parts
from security.probe.probe import probe
from security.probe.site import Need, Site


@probe(
    "authentication.mixed-key",
    "One key's id does not open with another key's secret",
    "A07:2025",
    "API2:2023",
    needs=(Need.KEY, Need.STRANGER),
    at_least=2,
)
def mixed_key(check: OpenCheck, site: Site) -> None:
    """Show keys put together from the owner's and the stranger's, both of which work."""
    door = guarded_door(site)
    owner, stranger = str(site.owner.key), str(site.stranger.key if site.stranger else None)
    if door.ask(bearer(stranger)) is not Told.IN:
        check.evidence.append("the stranger's own key is refused")
        return
    for how, mixed in _mixtures(owner, stranger):
        check.examined += 1
        if door.ask(bearer(mixed)) is Told.IN:
            message = f"{how} is let in: any key's secret opens every tenant whose key's id is known"
            check.find("mixed-key", message, key=how, references=("CWE-287", "CWE-639"))
    still_open(door)


def _mixtures(owner: str, stranger: str) -> Iterator[tuple[str, str]]:
    (owner_id, owner_secret), (stranger_id, stranger_secret) = parts(owner), parts(stranger)
    mixtures = (
        ("the owner's id with the stranger's secret", owner_id + stranger_secret),
        ("the stranger's id with the owner's secret", stranger_id + owner_secret),
        ("the owner's key with the stranger's secret after it", owner + stranger_secret),
    )
    yield from ((how, mixed) for how, mixed in mixtures if mixed not in {owner, stranger})
