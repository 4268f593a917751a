"""docs/AUDIT.md lists every scanner, every probe, and the holes that each probe is shown to find: no more, no less."""

from datetime import UTC, datetime
from pathlib import Path

from security.model import AuditTable
from security.probe.catalogue import PROBES
from security.scan.catalogue import catalogue
from tests.vulnerable.holes import HOLES

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "AUDIT.md"
HEADER = "| check | what holds when it passes | it | holes that it is shown to find |"


def rows() -> list[str]:
    """The table as it must stand in the guide."""
    lines = [HEADER, "|---|---|---|---|"]
    for probe in PROBES:
        holes = "; ".join(f"`{hole.name}`: {hole.sentence}" for hole in HOLES.values() if hole.probe == probe.id)
        effect = f"{probe.effect}{', alone' if probe.alone else ', apart from other probes' if probe.apart else ''}"
        lines.append(f"| `{probe.id}` | {probe.title} | {effect} | {holes} |")
    return lines


def test_the_guide_lists_every_probe_with_its_holes() -> None:
    text = GUIDE.read_text("utf-8")
    start = text.index(HEADER)
    assert text[start : text.index("\n\n", start)].splitlines() == rows()


def test_each_probe_has_a_hole_and_each_hole_a_probe() -> None:
    assert {hole.probe for hole in HOLES.values()} == {probe.id for probe in PROBES}


def test_the_guide_lists_every_scanner() -> None:
    header = "| check | what holds when it passes | program |"
    text = GUIDE.read_text("utf-8")
    start = text.index(header)
    scanners = catalogue(AuditTable(), datetime.now(UTC))
    assert text[start : text.index("\n\n", start)].splitlines() == [
        header,
        "|---|---|---|",
        *(f"| `{scanner.name}` | {scanner.title} | {scanner.program} |" for scanner in scanners),
    ]
