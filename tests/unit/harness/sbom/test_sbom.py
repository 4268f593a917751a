import json
from datetime import UTC, datetime

from harness.sbom import make_sbom

MADE = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_each_distribution_stands_once_in_order() -> None:
    bill = json.loads(make_sbom("thing", "1", [("b", "2"), ("a", "1"), ("b", "2")], made=MADE))
    assert [each["purl"] for each in bill["components"]] == ["pkg:pypi/a@1", "pkg:pypi/b@2"]
    assert bill["metadata"]["timestamp"] == "2026-11-23T10:00:00Z"


def test_the_same_things_have_the_same_serial_number() -> None:
    def serial(version: str, *distributions: tuple[str, str]) -> str:
        return str(json.loads(make_sbom("thing", version, distributions, made=MADE))["serialNumber"])

    assert serial("1", ("a", "1"), ("b", "2")) == serial("1", ("b", "2"), ("a", "1"))
    assert len({serial("1", ("a", "1")), serial("2", ("a", "1")), serial("1", ("a", "2"))}) == 3
