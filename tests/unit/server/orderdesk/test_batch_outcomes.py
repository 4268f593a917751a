from typing import Any

import pytest

from server.errors import WriteUncertainError
from server.orderdesk.batch import outcomes, summary, target

ADDED = {"status": "success", "message": "Shipment Added", "order_id": 1, "shipment_id": 7}
REFUSED = {"status": "error", "message": "Shipment Not Added", "order_id": "2"}


def test_each_entry_has_the_outcome_that_orderdesk_gave_it() -> None:
    added, refused = outcomes({"results": [ADDED, REFUSED]}, "order_id", ["1", "2"])
    assert (added.done, added.answer["shipment_id"]) == (True, 7)
    assert (refused.done, refused.message) == (False, "Shipment Not Added")


def test_an_answer_that_names_no_entry_is_taken_in_the_order_that_was_sent() -> None:
    (outcome,) = outcomes({"results": [{"status": "success"}]}, "order_id", ["1"])
    assert outcome.done


@pytest.mark.parametrize(
    "results",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="an object"),
        pytest.param([ADDED], id="too few"),
        pytest.param([ADDED, REFUSED, REFUSED], id="too many"),
        pytest.param([REFUSED, ADDED], id="in another order"),
        pytest.param([ADDED, "ok"], id="a text"),
        pytest.param([ADDED, {"order_id": "2", "message": "Shipment Added"}], id="without a status"),
        pytest.param([ADDED, {"order_id": "2", "status": "queued"}], id="an unknown status"),
    ],
)
def test_an_answer_that_does_not_tell_of_each_entry_is_neither_success_nor_failure(results: Any) -> None:
    with pytest.raises(WriteUncertainError):
        outcomes({"status": "success", "results": results}, "order_id", ["1", "2"])


def test_a_target_is_short_however_many_and_long_the_ids_are() -> None:
    assert target(["100042"]) == "100042"
    assert target(["100042", "100043", "100044"]) == "100042 and 2 more"
    assert len(target(["x" * 64] * 25)) <= 64


def test_a_summary_tells_what_was_done_first_and_leaves_out_what_did_not_happen() -> None:
    assert summary({"updated": 2, "unchanged": 0, "failed": 1}, "products") == "2 of 3 products updated, 1 failed"
    assert summary({"added": 2, "failed": 0}, "shipments") == "2 of 2 shipments added"
