"""The server put together: every part made once, from the settings, and handed to those that need it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

from server import __version__
from server.audit import Audit
from server.cache import Cache
from server.edge.guards import HostGuard
from server.edge.layer import MCP_PATH, Application, Edge
from server.health import Health
from server.limits import TenantLimiter
from server.orderdesk.client import OrderDeskClient
from server.orderdesk.gateway import Gateway
from server.orderdesk.orders import Orders
from server.orderdesk.products import Products
from server.protocol.exchange import Surface
from server.protocol.surface import production_surface
from server.protocol.transport import Authenticate, Transport
from server.settings import Settings
from server.storage.database import Database
from server.telemetry.logging import AccessLog, Logger
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Stores
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.tools.call import Services
from server.tools.registry import Registry
from server.web import create_web, endpoints
from server.writes import WriteLedger


@dataclass(frozen=True)
class Parts:
    """What is made for one process and lives as long as it does."""

    metrics: Metrics
    database: Database
    tenants: Tenants
    stores: Stores
    cache: Cache
    limiter: TenantLimiter
    audit: Audit
    client: OrderDeskClient
    registry: Registry


def build_parts(settings: Settings, logger: Logger) -> Parts:
    """Everything behind the protocol. Nothing is opened yet."""
    metrics = Metrics(__version__, settings.environment)
    database = Database(settings.database_url, metrics)
    vault = Vault(settings.master_key_bytes)
    tenants, stores = Tenants(database, vault, metrics), Stores(database, vault)
    cache = Cache(settings.cache_max_bytes, metrics)
    client = OrderDeskClient(
        settings.orderdesk_base_url,
        timeout=settings.http_timeout_seconds,
        retries=settings.http_max_retries,
        metrics=metrics,
        logger=logger,
    )
    gateway = Gateway(client, stores)
    orders = Orders(
        gateway,
        cache,
        WriteLedger(database, vault),
        logger,
        ttl=settings.cache_ttl_orders_seconds,
        retries=settings.mutation_max_retries,
        clock=time.monotonic,
    )
    products = Products(gateway, cache, ttl=settings.cache_ttl_products_seconds)
    limiter = TenantLimiter(settings.rate_limit_rpm, metrics)
    audit = Audit(database, metrics, logger)
    registry = Registry(
        Services(tenants, stores, gateway, orders, products),
        limiter=limiter,
        audit=audit,
        metrics=metrics,
        logger=logger,
        deadline_seconds=settings.call_deadline_seconds,
    )
    return Parts(metrics, database, tenants, stores, cache, limiter, audit, client, registry)


def build_application(
    settings: Settings,
    logger: Logger,
    *,
    surface: Surface | None = None,
    authenticate: Authenticate | None = None,
) -> Edge:
    """The ASGI application. `surface` and `authenticate` stand in for the production ones where a test has its own."""
    parts = build_parts(settings, logger)
    transport = Transport(
        surface or production_surface(parts.registry, parts.limiter),
        authenticate or parts.tenants.authenticate,
        query_token=settings.query_token_enabled,
    )

    async def start() -> None:
        parts.audit.start()
        ready, body = await health.ready()
        if not ready:
            logger.warning("server.not_ready", **body["checks"])

    async def stop() -> None:
        try:
            await parts.audit.stop()
        finally:
            await parts.client.close()
            await parts.database.close()

    health = Health(settings, parts.database, parts.cache, parts.stores, time.monotonic(), lambda: edge.draining)
    admin_token = settings.admin_token.get_secret_value() if settings.admin_token else None
    web = create_web(health, parts.metrics, admin_token, start=start, stop=stop)
    edge = Edge(
        transport,
        cast("Application", web),
        endpoints=endpoints(web) | {MCP_PATH},
        guard=HostGuard(settings.allowed_hosts, settings.allowed_origins),
        max_body_bytes=settings.max_body_bytes,
        max_json_depth=settings.max_json_depth,
        metrics=parts.metrics,
        logger=logger,
        access_log=AccessLog(settings.log_level),
    )
    return edge
