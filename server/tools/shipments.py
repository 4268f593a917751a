"""The tools that list, add, change and delete the shipments of orders."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from server.orderdesk.batch_shipments import AddShipments
from server.orderdesk.change import Change
from server.orderdesk.kinds import SHIPMENT, Reference
from server.orderdesk.orders import PARTS
from server.orderdesk.remove import Remove
from server.orderdesk.shipments import NO_NUMBER, AddShipment
from server.tools.call import Call
from server.tools.declaration import (
    Arguments,
    Identifier,
    Result,
    StoreIdentifier,
    Tool,
    WriteArguments,
    WriteResult,
    WriteTool,
)
from server.tools.pages import Pagination
from server.writes.operation import Operation

LARGEST_BATCH = 25


def _as_no_number(value: str) -> str:
    return NO_NUMBER if value.casefold() == NO_NUMBER else value


TrackingNumber = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_as_no_number)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Amount = Annotated[float, Field(ge=0, le=1_000_000_000)]


class ShipmentFields(Arguments):
    tracking_number: TrackingNumber = Field(description='The tracking number, or "n/a" where the parcel has none')
    carrier_code: Text | None = Field(None, description="Such as USPS, UPS or FedEx")
    shipment_method: Text | None = None
    tracking_url: Annotated[str, Field(min_length=1, max_length=2_000)] | None = None
    weight: Amount | None = None
    cost: Amount | None = None


SHIPMENT_FIELDS = frozenset(ShipmentFields.model_fields)


class ListShipments(Arguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    limit: int = Field(50, ge=1, le=100, description="Shipments per page")
    offset: int = Field(0, ge=0, le=1_000_000, description="Shipments to skip")
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class GetShipment(Arguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    shipment_id: Identifier
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class AddOne(ShipmentFields, WriteArguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class UpdateShipment(WriteArguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    shipment_id: Identifier
    changes: dict[str, Any] = Field(description=f"Of {', '.join(sorted(SHIPMENT_FIELDS))}; null removes a value")
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class DeleteShipment(WriteArguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    shipment_id: Identifier
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class Entry(ShipmentFields):
    order_id: Identifier = Field(description="The order that it belongs to")


class AddMany(WriteArguments):
    shipments: Annotated[list[Entry], Field(min_length=1, max_length=LARGEST_BATCH)]
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class ShipmentsResult(Result):
    status: Literal["success"]
    shipments: list[dict[str, Any]]
    pagination: Pagination
    cached: bool


class ShipmentResult(Result):
    status: Literal["success"]
    shipment: dict[str, Any]
    cached: bool


class ShipmentWritten(WriteResult):
    shipment: dict[str, Any] | None = Field(None, description="The shipment as it is now; absent in a dry run")


class ShipmentDeleted(WriteResult):
    deleted_id: str | None = Field(None, description="Absent in a dry run")


class EntryResult(BaseModel):
    model_config = ConfigDict(extra="forbid")

    order_id: str
    tracking_number: str
    status: Literal["added", "planned", "failed"]
    shipment_id: str | None
    message: str


class ShipmentsAdded(WriteResult):
    results: list[EntryResult] | None = Field(None, description="What became of each entry; planned in a dry run")
    added: int | None = None
    failed: int | None = Field(None, description="Entries that were not added: results say why")


async def list_shipments(call: Call, arguments: ListShipments) -> dict[str, Any]:
    """A page of an order's shipments."""
    call.target = arguments.order_id
    store = await call.store(arguments.store_identifier)
    member = PARTS[SHIPMENT.member]
    found = await call.services.orders.parts(call, store, arguments.order_id, member, arguments.limit, arguments.offset)
    return {"shipments" if name == member else name: value for name, value in found.items()}


async def get_shipment(call: Call, arguments: GetShipment) -> dict[str, Any]:
    """One shipment."""
    call.target = f"{arguments.order_id}/{arguments.shipment_id}"
    store = await call.store(arguments.store_identifier)
    return await call.services.orders.part(call, store, SHIPMENT, arguments.order_id, arguments.shipment_id)


async def add_shipment(call: Call, arguments: AddOne) -> Operation:
    """Add a shipment to an order."""
    store = await call.store(arguments.store_identifier)
    body = arguments.model_dump(include=set(SHIPMENT_FIELDS), exclude_none=True)
    return AddShipment(call.services.desk.at(call, store), arguments.order_id, body)


async def update_shipment(call: Call, arguments: UpdateShipment) -> Operation:
    """Change a shipment."""
    store = await call.store(arguments.store_identifier)
    reference = Reference(SHIPMENT, (arguments.order_id, arguments.shipment_id))
    return Change(call.services.desk.at(call, store), reference, lambda _shipment: arguments.changes)


async def delete_shipment(call: Call, arguments: DeleteShipment) -> Operation:
    """Delete a shipment."""
    store = await call.store(arguments.store_identifier)
    reference = Reference(SHIPMENT, (arguments.order_id, arguments.shipment_id))
    return Remove(call.services.desk.at(call, store), reference)


async def add_shipments(call: Call, arguments: AddMany) -> Operation:
    """Add shipments to many orders."""
    store = await call.store(arguments.store_identifier)
    entries = [entry.model_dump(exclude_none=True) for entry in arguments.shipments]
    return AddShipments(call.services.desk.at(call, store), entries, objects=len(entries))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="shipments_list",
        title="List an order's shipments",
        description="List the shipments of an order with their tracking numbers.",
        toolset="shipments",
        arguments=ListShipments,
        result=ShipmentsResult,
        example={"order_id": "100042"},
        handler=list_shipments,
    ),
    Tool(
        name="shipments_get",
        title="Get a shipment",
        description="Get one shipment of an order.",
        toolset="shipments",
        arguments=GetShipment,
        result=ShipmentResult,
        example={"order_id": "100042", "shipment_id": "5001"},
        handler=get_shipment,
    ),
    WriteTool(
        name="shipments_add",
        title="Add a shipment",
        description=(
            "Add a shipment to an order. A tracking number that the order has already is a CONFLICT_ERROR. "
            "WRITE_UNCERTAIN means: list the order's shipments before trying again."
        ),
        toolset="shipments",
        arguments=AddOne,
        result=ShipmentWritten,
        example={
            "order_id": "100042",
            "tracking_number": "9400110200881234567890",
            "carrier_code": "USPS",
            "shipment_method": "Ground",
            "idempotency_key": "parcel-100042-1",
        },
        operation=add_shipment,
        idempotent=False,
        capped=True,
    ),
    WriteTool(
        name="shipments_update",
        title="Update a shipment",
        description=(
            "Change fields of a shipment. Only what you name changes: it is fetched, merged and written back whole."
        ),
        toolset="shipments",
        arguments=UpdateShipment,
        result=ShipmentWritten,
        example={"order_id": "100042", "shipment_id": "5001", "changes": {"carrier_code": "UPS"}},
        operation=update_shipment,
        destructive=True,
    ),
    WriteTool(
        name="shipments_delete",
        title="Delete a shipment",
        description="Delete a shipment of an order. It cannot be had back under the same id.",
        toolset="shipments",
        arguments=DeleteShipment,
        result=ShipmentDeleted,
        example={"order_id": "100042", "shipment_id": "5001"},
        operation=delete_shipment,
        destructive=True,
        capped=True,
    ),
    WriteTool(
        name="shipments_batch",
        title="Add shipments to many orders",
        description=(
            f"Add up to {LARGEST_BATCH} shipments at once, each to an order of its own or several to one. Look at "
            "failed and results: an entry that cannot be added keeps none of the others back."
        ),
        toolset="shipments",
        arguments=AddMany,
        result=ShipmentsAdded,
        example={
            "shipments": [
                {"order_id": "100042", "tracking_number": "9400110200881234567890", "carrier_code": "USPS"},
                {"order_id": "100043", "tracking_number": "n/a", "shipment_method": "Local Pickup"},
            ],
            "idempotency_key": "parcels-monday",
        },
        operation=add_shipments,
        idempotent=False,
        capped=True,
    ),
)
