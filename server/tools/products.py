"""The tools that read a store's products, which OrderDesk calls inventory items."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from server.tools.call import Call
from server.tools.declaration import Arguments, Identifier, Result, StoreIdentifier, Tool
from server.tools.pages import Pagination


class ListProducts(Arguments):
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")
    limit: int = Field(50, ge=1, le=100, description="Products per page")
    offset: int = Field(0, ge=0, le=1_000_000, description="Products to skip")
    search: str | None = Field(
        None, min_length=1, max_length=200, description="Only products whose name, code or SKU contains this"
    )


class GetProduct(Arguments):
    product_id: Identifier = Field(description="The product's id")
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class ProductsResult(Result):
    status: Literal["success"]
    products: list[dict[str, Any]]
    pagination: Pagination
    cached: bool


class ProductResult(Result):
    status: Literal["success"]
    product: dict[str, Any]
    cached: bool


async def list_products(call: Call, arguments: ListProducts) -> dict[str, Any]:
    """A page of products."""
    store = await call.store(arguments.store_identifier)
    return await call.services.products.page(call, store, arguments.limit, arguments.offset, arguments.search)


async def get_product(call: Call, arguments: GetProduct) -> dict[str, Any]:
    """One product."""
    call.target = arguments.product_id
    store = await call.store(arguments.store_identifier)
    return await call.services.products.get(call, store, arguments.product_id)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="products_list",
        title="List products",
        description=(
            "List a store's products with their stock, page by page. With search, up to 2,000 products are looked "
            "through; total is null when there are more."
        ),
        toolset="products",
        arguments=ListProducts,
        result=ProductsResult,
        example={"limit": 20, "search": "mug"},
        handler=list_products,
    ),
    Tool(
        name="products_get",
        title="Get a product",
        description="Get one product by its id.",
        toolset="products",
        arguments=GetProduct,
        result=ProductResult,
        example={"product_id": "1001"},
        handler=get_product,
    ),
)
