"""What OrderDesk says, with nothing of a customer in it: words about orders in general pass, all else does not."""

from __future__ import annotations

import re
import string
from typing import Final

from server.orderdesk.kinds import ITEM, ORDER, PRODUCT, SHIPMENT

HIDDEN: Final = "[…]"
LENGTH: Final = 200
# A name has no shape by which it could be found, so that what may pass is listed. A missing word makes a message
# poorer, one too many could be a customer's name: no first names that are words as well.
GENERAL: Final = """
    a about above access account action active add added address after again all allow allowed already also amount an
    and another any api archived are array as assigned associated at authentication authorization authorize authorized
    available back bad balance batch be because been before being below between blank blocked body boolean both but by
    call called calls can cancel canceled cancelled cannot capture captured card carrier change changed character
    characters check checkout city closed code codes company complete completed conflict connect connection contain
    contains content could count country create created credentials credit currency currently customer customers data
    date deactivated declined delete deleted denied depleted did different digits disabled discount do does done
    download duplicate duplicated during each either empty enabled endpoint entries entry error errors exceed exceeded
    exceeds exist existing exists expected expired failed failure field fields file filter find first folder folders
    for forbidden format found from fulfilled fulfillment full fully future get given greater handling has have header
    history id ids in inactive incorrect incomplete insufficient integer internal invalid inventory is it item items
    json key label last length less letters level limit line list listed locked long longer maintenance many map
    matching maximum merged message metadata method minimum missing modified more most move moved much must name names
    negative new no none noship not note notes nothing now null number numeric object of off offline on one only open or
    order orders other out over page parameter parameters parse partial partially pass passed payment pending per
    permission permitted phone positive possible postal present previous price print printed process processed
    processing processor product products provided put quantity quota rate read receive received record records refund
    refunded refused reject rejected remaining remove removed request requested requests require required requires
    response result results retry return returned returns rule rules same save saved search second seconds select send
    sent server service set settings ship shipped shipment shipments shipping short should shorter source split start
    state status stock store stores string submitted success successful successfully suspended syntax system tag tax
    temporarily test text than that the their there these this those through time timeout to too total totals tracking
    try type unable unauthorized unavailable under unexpected unique unknown unreadable unsupported until update
    updated upgrade url use used user valid validation value values variation version void voided was way weight were
    while with within without would write wrong xml you your zip
""".split()  # noqa: SIM905 - five hundred quoted words would be harder to read
ADDRESS: Final = (
    *("first_name", "last_name", "address1", "address2", "address3", "address4", "postal_code", "order_id"),
    *("item_id", "shipment_id", "product_id", "order_id_list", "destination_folder_id", "destination_folder_name"),
    *("order_by", "search_start_date", "search_end_date", "modified_start_date", "modified_end_date", "order_history"),
)
FIELDS: Final = {
    name for kind in (ORDER, ITEM, SHIPMENT, PRODUCT) for name in (*kind.rules.writable, *kind.rules.read_only)
}
WORDS: Final = frozenset({*GENERAL, *ADDRESS, *FIELDS})
# A number passes where the word before it says that it is the id of an object, or a limit.
BEFORE_A_NUMBER: Final = frozenset(
    {"id", "order", "item", "shipment", "product", "order_id", "item_id", "shipment_id", "product_id", "exists", "most"}
)
NUMBER: Final = re.compile(r"\d{1,12}\Z", re.ASCII)


def impersonal(message: object) -> str:
    """`message` with each word that is not a word of this trade replaced by […]; blank where hardly one is left."""
    kept: list[str] = []
    before, words = "", 0
    for chunk in message[: 5 * LENGTH].split() if isinstance(message, str) else ():
        word = chunk.strip(string.punctuation).casefold()
        if word in WORDS or (NUMBER.match(word) and before in BEFORE_A_NUMBER):
            kept.append(chunk)
            words += 1
        elif word and kept[-1:] != [HIDDEN]:
            kept.append(HIDDEN)
        before = word
    return " ".join(kept)[:LENGTH] if words else ""
