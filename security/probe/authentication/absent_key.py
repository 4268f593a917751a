"""A request without a key is refused."""

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.probe import probe
from security.probe.site import Site, Tenant, lets_in


@probe("authentication.absent-key", "Nobody is let in without a key", "A07:2025", "API2:2023")
def absent_key(check: OpenCheck, site: Site) -> None:
    """Ask without a key; and with the owner's, so that the refusal is no outage."""
    if not lets_in(site, site.owner):
        raise Inconclusive("the owner's own key is refused")
    check.examined += 1
    if lets_in(site, Tenant(None)):
        check.find("absent-key", "a request without a key is answered", key="absent", references=("CWE-306",))
