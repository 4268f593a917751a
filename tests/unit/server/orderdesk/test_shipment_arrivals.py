from typing import Any

import pytest

from server.orderdesk.batch_shipments import NO_ORDER, NUMBER_TAKEN, NUMBER_TWICE, hindrances
from server.orderdesk.shipments import arrivals


def shipment(number: str = "n/a", **fields: Any) -> dict[str, Any]:
    return {"tracking_number": number, **fields}


def held(**numbers: str) -> dict[str, dict[str, Any]]:
    """Shipments as OrderDesk shows them, by id."""
    return {key: shipment(number, carrier_code="UPS", cost=0) for key, number in numbers.items()}


BEFORE = held(a="n/a", b="1")


@pytest.mark.parametrize(
    ("now", "wanted", "found"),
    [
        pytest.param({**BEFORE, **held(c="2")}, [shipment("2")], ["c"], id="a new number"),
        pytest.param({**BEFORE, "c": shipment(2)}, [shipment("2")], ["c"], id="a new number, shown as one"),  # type: ignore[arg-type]
        pytest.param({**BEFORE, **held(c="n/a")}, [shipment()], ["c"], id="one without"),
        pytest.param({**BEFORE, **held(c="3", d="2")}, [shipment("2")], ["d"], id="beside another's"),
        pytest.param({**BEFORE, **held(c="n/a", d="n/a")}, [shipment(), shipment()], ["c", "d"], id="two alike"),
        pytest.param({**BEFORE, **held(c="2", d="n/a")}, [shipment(), shipment("2")], ["d", "c"], id="in any order"),
        pytest.param(held(c="2"), [shipment("2")], ["c"], id="though the others are gone"),
        pytest.param(BEFORE, [shipment("2")], None, id="nothing came"),
        pytest.param(BEFORE, [shipment("1")], None, id="it was there before"),
        pytest.param({**BEFORE, **held(c="n/a", d="n/a")}, [shipment()], None, id="two came for one"),
        pytest.param({**BEFORE, **held(c="n/a")}, [shipment(), shipment()], None, id="one came for two"),
        pytest.param({**BEFORE, **held(c="n/a")}, [shipment(carrier_code="FedEx")], None, id="another's without"),
        pytest.param({**BEFORE, **held(c="2")}, [shipment("2"), shipment("3")], None, id="a part of them"),
    ],
)
def test_what_came_since_is_found_only_where_it_is_clear(
    now: dict[str, Any], wanted: list[dict[str, Any]], found: list[str] | None
) -> None:
    expected = None if found is None else [now[key] for key in found]
    came = arrivals(BEFORE, now, wanted)
    assert came == expected
    assert came is None or all(one is other for one, other in zip(came, expected or [], strict=True))


def test_an_entry_is_hindered_by_what_is_there_and_by_an_earlier_one() -> None:
    entries = [
        {"order_id": order_id, "tracking_number": number}
        for order_id, number in (("1", "1"), ("1", "2"), ("1", "2"), ("2", "2"), ("3", "2"), ("1", "n/a"), ("1", "n/a"))
    ]
    assert hindrances(entries, {"1": BEFORE, "2": {}, "3": None}) == [
        NUMBER_TAKEN,
        None,
        NUMBER_TWICE,
        None,
        NO_ORDER,
        None,
        None,
    ]
