"""The tools that create, change and delete a store's products, which OrderDesk calls inventory items."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from server.orderdesk.batch_products import UpdateProducts
from server.orderdesk.change import Change
from server.orderdesk.create import Create, target
from server.orderdesk.kinds import PRODUCT, Reference
from server.orderdesk.products import CODES_LOOKED_AT, with_code
from server.orderdesk.remove import Remove
from server.orderdesk.stock import AddToStock, adjustment
from server.tools.call import Call
from server.tools.declaration import (
    Arguments,
    Identifier,
    StoreIdentifier,
    Tool,
    WriteArguments,
    WriteResult,
    WriteTool,
)
from server.writes.operation import Operation

LARGEST_BATCH = 25
LARGEST_STOCK = 1_000_000_000

Text = Annotated[str, Field(min_length=1, max_length=500)]
Amount = Annotated[float, Field(ge=0, le=1_000_000_000)]
Stock = Annotated[int, Field(ge=-LARGEST_STOCK, le=LARGEST_STOCK)]
CHANGES = f"Of {', '.join(sorted(PRODUCT.rules.writable))}; null removes a value, metadata and variation_list merge"


class CreateProduct(WriteArguments):
    name: Text
    code: Text = Field(description="The product's code (SKU)")
    price: Amount | None = None
    cost: Amount | None = None
    weight: Amount | None = None
    stock: Stock | None = None
    location: Text | None = None
    manufacturer_sku: Text | None = None
    update_source: Text | None = None
    variation_list: dict[str, Any] | None = Field(None, description='Such as {"Color": "Sage"}')
    metadata: dict[str, Any] | None = None
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class ProductChanges(Arguments):
    product_id: Identifier = Field(description="The product's id")
    changes: dict[str, Any] = Field(description=CHANGES)


class UpdateProduct(ProductChanges, WriteArguments):
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class DeleteProduct(WriteArguments):
    product_id: Identifier = Field(description="The product's id")
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


def _each_once(entries: list[ProductChanges]) -> list[ProductChanges]:
    counts = Counter(entry.product_id for entry in entries)
    if twice := [product_id for product_id, count in counts.items() if count > 1]:
        raise ValueError(f"product {twice[0]} is named more than once")
    return entries


class UpdateMany(WriteArguments):
    products: Annotated[list[ProductChanges], Field(min_length=1, max_length=LARGEST_BATCH), AfterValidator(_each_once)]
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class AdjustStock(WriteArguments):
    product_id: Identifier = Field(description="The product's id")
    by: Stock | None = Field(None, description="Add so many; negative takes away. Give either by or to")
    to: Stock | None = Field(None, description="Set to so many, as after a count")
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="Kept with the write for the operator"
    )
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.by is None) == (self.to is None):
            raise ValueError("give either by or to")
        return self


class ProductWritten(WriteResult):
    product: dict[str, Any] | None = Field(None, description="The product as it is now; absent in a dry run")


class ProductDeleted(WriteResult):
    deleted_id: str | None = Field(None, description="Absent in a dry run")


class EntryResult(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product_id: str
    status: Literal["updated", "planned", "unchanged", "failed"]
    message: str


class ProductsUpdated(WriteResult):
    results: list[EntryResult] | None = Field(None, description="What became of each product; planned in a dry run")
    updated: int | None = None
    unchanged: int | None = Field(None, description="Products that had these values already")
    failed: int | None = Field(None, description="Products that were not updated: results say why")


async def create_product(call: Call, arguments: CreateProduct) -> Operation:
    """Create a product."""
    store = await call.store(arguments.store_identifier)
    body = arguments.model_dump(include=set(PRODUCT.rules.writable), exclude_none=True)
    return Create(
        call.services.desk.at(call, store),
        PRODUCT,
        (),
        body,
        with_code,
        ("product codes", arguments.code),
        target(arguments.code),
        traces={"code": arguments.code},
    )


async def update_product(call: Call, arguments: UpdateProduct) -> Operation:
    """Change a product."""
    store = await call.store(arguments.store_identifier)
    reference = Reference(PRODUCT, (arguments.product_id,))
    return Change(call.services.desk.at(call, store), reference, lambda _product: arguments.changes)


async def delete_product(call: Call, arguments: DeleteProduct) -> Operation:
    """Delete a product."""
    store = await call.store(arguments.store_identifier)
    return Remove(call.services.desk.at(call, store), Reference(PRODUCT, (arguments.product_id,)))


async def update_products(call: Call, arguments: UpdateMany) -> Operation:
    """Change many products."""
    store = await call.store(arguments.store_identifier)
    changes = {entry.product_id: entry.changes for entry in arguments.products}
    return UpdateProducts(call.services.desk.at(call, store), changes, objects=len(changes))


async def adjust_stock(call: Call, arguments: AdjustStock) -> Operation:
    """Change a product's stock."""
    store = await call.store(arguments.store_identifier)
    kind = Change if arguments.by is None else AddToStock
    reference = Reference(PRODUCT, (arguments.product_id,))
    return kind(call.services.desk.at(call, store), reference, adjustment(arguments.by, arguments.to))


TOOLS: tuple[Tool[Any], ...] = (
    WriteTool(
        name="products_create",
        title="Create a product",
        description=(
            f"Create a product. In a store of up to {CODES_LOOKED_AT:,} products a code that is taken is a "
            "CONFLICT_ERROR. WRITE_UNCERTAIN means: search for the code before trying again."
        ),
        toolset="inventory",
        arguments=CreateProduct,
        result=ProductWritten,
        example={"name": "Oak Tray", "code": "OAK-TRA-1", "price": 24.5, "stock": 10, "idempotency_key": "oak-tray"},
        operation=create_product,
        idempotent=False,
        capped=True,
    ),
    WriteTool(
        name="products_update",
        title="Update a product",
        description=(
            "Change fields of a product. Only what you name changes: it is fetched, merged and written back whole. "
            "To add to the stock or take from it use products_adjust_stock."
        ),
        toolset="inventory",
        arguments=UpdateProduct,
        result=ProductWritten,
        example={"product_id": "1001", "changes": {"price": 19.5, "location": "Overflow"}},
        operation=update_product,
        destructive=True,
    ),
    WriteTool(
        name="products_delete",
        title="Delete a product",
        description="Delete a product. It cannot be had back under the same id.",
        toolset="inventory",
        arguments=DeleteProduct,
        result=ProductDeleted,
        example={"product_id": "1001"},
        operation=delete_product,
        destructive=True,
        capped=True,
    ),
    WriteTool(
        name="products_batch_update",
        title="Update many products",
        description=(
            f"Change fields of up to {LARGEST_BATCH} products at once, each as products_update does. Look at failed "
            "and results: a product that cannot be updated keeps none of the others back."
        ),
        toolset="inventory",
        arguments=UpdateMany,
        result=ProductsUpdated,
        example={
            "products": [
                {"product_id": "1001", "changes": {"price": 19.5}},
                {"product_id": "1002", "changes": {"location": "Overflow"}},
            ]
        },
        operation=update_products,
        destructive=True,
        capped=True,
    ),
    WriteTool(
        name="products_adjust_stock",
        title="Adjust a product's stock",
        description=(
            "Add to a product's stock or take from it (by), or set it (to). The stock is read when it is written, so "
            "adjustments at the same time add up; it is never taken below zero. "
            "WRITE_UNCERTAIN means: read the product before trying again."
        ),
        toolset="inventory",
        arguments=AdjustStock,
        result=ProductWritten,
        example={"product_id": "1001", "by": -2, "reason": "broken", "idempotency_key": "breakage-17"},
        operation=adjust_stock,
        destructive=True,
        idempotent=False,
    ),
)
