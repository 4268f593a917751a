"""Our own server, asked as any other target: true verdicts, and two tenants who afterwards have what they had."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.verdict import CheckStatus
from security.probe.catalogue import PROBES
from security.probe.local import open_local
from security.probe.site import Site, Tenant
from security.selection import group_of
from tests.integration.security.probes.outside import audit

GROUPS = ("isolation", "injection")
# What only the local target's operator can give: tenants made for the probe, and the log.
NOT_FROM_OUTSIDE = {"isolation.writes", "injection.log"}
ASKED = [probe.id for probe in PROBES if group_of(probe.id) in GROUPS]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_local(logs=tmp_path_factory.mktemp("server"), environ=os.environ) as site:
        yield site


def stores(site: Site, tenant: Tenant | None) -> list[dict[str, Any]]:
    """The stores of a tenant, each with what OrderDesk says to the API key that is kept for it."""
    assert tenant is not None
    with site.connect(tenant) as client:
        listed = (client.call_tool("stores_list").structured or {})["stores"]
        tested = [client.call_tool("stores_test", {"store_identifier": each["store_id"]}) for each in listed]
    return [{**store, "works": not test.is_error} for store, test in zip(listed, tested, strict=True)]


def test_nothing_is_found_and_both_tenants_keep_their_stores(site: Site, tmp_path: Path) -> None:
    assert site.stranger is not None
    before = [stores(site, tenant) for tenant in (site.owner, site.stranger)]
    assert all(store["works"] for each in before for store in each)
    keys = [str(site.owner.key), str(site.stranger.key), str(site.admin_token)]
    checks = audit(tmp_path / "repository", site.base_url, keys, GROUPS)
    told = {name: (checks[name].status, checks[name].reason) for name in ASKED}
    passed = {name for name, (status, _) in told.items() if status is CheckStatus.PASSED}
    assert passed == set(ASKED) - NOT_FROM_OUTSIDE, told
    assert {told[name][0] for name in NOT_FROM_OUTSIDE} == {CheckStatus.NOT_APPLICABLE}
    assert [stores(site, tenant) for tenant in (site.owner, site.stranger)] == before


def test_a_second_tenant_without_a_store_leaves_open_what_would_take_one(site: Site, tmp_path: Path) -> None:
    assert site.keys is not None
    newcomer = site.keys.new_tenant()
    before = stores(site, site.owner)
    keys = [str(site.owner.key), str(newcomer.key), str(site.admin_token)]
    checks = audit(tmp_path / "repository", site.base_url, keys, ["isolation.tools", "isolation.idempotency"])
    assert checks["isolation.tools"].status is CheckStatus.PASSED, checks["isolation.tools"].reason
    assert checks["isolation.idempotency"].status is CheckStatus.INCONCLUSIVE
    assert "give each a store" in checks["isolation.idempotency"].reason
    assert (stores(site, site.owner), stores(site, newcomer)) == (before, [])
