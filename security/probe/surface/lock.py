"""What the server tells a model of itself is what was accepted, in both eras."""

import functools

from harness.client import LATEST_LEGACY, LATEST_MODERN
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.lockfile import Surface, changes, owners, read_lockfile, read_surface
from security.probe.messages import connect_in
from security.probe.patience import when_let_in
from security.probe.probe import probe
from security.probe.site import Site


@probe("surface.lock", "The tools are those that were accepted, word for word", "A08:2025", "API9:2023")
def lock(check: OpenCheck, site: Site) -> None:
    """Compare names, descriptions, schemas and annotations with the lockfile, as each era tells them."""
    told = _by_era(site)
    if not told:
        raise Inconclusive("the server lists its tools in neither era")
    if site.lockfile is None:
        raise Inconclusive("no lockfile was given")
    pinned = read_lockfile(site.lockfile)
    for era, surface in told.items():
        check.examined += len(owners(surface))
        for name, how in changes(pinned, surface):
            message = f"{name} {how} (as {era} tells it); was it meant? Then: ./inv audit.pin"
            check.find("changed-surface", message, location=name, references=("CWE-494",), key=f"{name} {how}")
    check.evidence.append(f"{len(owners(pinned))} things are pinned; told in {', '.join(told)}")


def _by_era(site: Site) -> dict[str, Surface]:
    """The surface in each era that the server speaks."""
    told = {}
    for era in (LATEST_MODERN, LATEST_LEGACY):
        if client := connect_in(site, era):
            with client:
                told[era] = when_let_in(functools.partial(read_surface, client))
    return told
