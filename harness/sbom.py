"""A bill of materials in CycloneDX's JSON: what something is made of, so that it can be asked about later."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

SPECIFICATION = "1.6"
SBOM_NAME = "sbom.cdx.json"
"""The ending is the one that CycloneDX recommends."""


def make_sbom(name: str, version: str, distributions: Iterable[tuple[str, str]], *, made: datetime) -> bytes:
    """The bill of NAME at VERSION as UTF-8 JSON: each Python distribution by (normalised name, version), sorted.

    Bills of the same things have the same serial number.
    """
    pairs = sorted(set(distributions))
    purls = [f"pkg:pypi/{each}@{at}" for each, at in pairs]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": uuid5(NAMESPACE_OID, "\n".join((name, version, *purls))).urn,
        "version": 1,
        "metadata": {
            "timestamp": f"{made.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": {"type": "application", "bom-ref": name, "name": name, "version": version},
        },
        "components": [
            {"type": "library", "bom-ref": purl, "name": each, "version": at, "purl": purl}
            for (each, at), purl in zip(pairs, purls, strict=True)
        ],
    }
    return json.dumps(bill, indent=2).encode() + b"\n"
