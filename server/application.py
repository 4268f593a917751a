"""The server put together: every part made once, from the settings, and handed to those that need it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from server import __version__
from server.attempts import WrongKeys
from server.audit import Audit
from server.brakes import Brakes, NoBrakes
from server.cache import Cache
from server.edge.guards import HostGuard
from server.edge.layer import MCP_PATH, Application, Edge
from server.health import Health
from server.limits import TenantLimiter
from server.orderdesk.client import OrderDeskClient
from server.orderdesk.desk import Desk
from server.orderdesk.gateway import Gateway
from server.orderdesk.orders import Orders
from server.orderdesk.products import Products
from server.orderdesk.profiles import Profiles
from server.protocol.authentication import Authenticate
from server.protocol.dispatch import Dispatcher
from server.protocol.exchange import Surface
from server.protocol.surface import production_surface
from server.protocol.transport import Transport
from server.retention import Retention
from server.settings import Settings
from server.storage.database import Database
from server.storage.disk import DiskReserve
from server.storage.statements import log_statements
from server.telemetry.logging import AccessLog, Logger
from server.telemetry.loop_lag import LoopLag
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Stores
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.tools.call import Services
from server.tools.declaration import WriteTool
from server.tools.registry import ALL, Registry
from server.web import create_web, endpoints
from server.webhooks import Webhooks
from server.writes.history import History
from server.writes.leases import Leases
from server.writes.ledger import WriteLedger
from server.writes.recovery import Recovery
from server.writes.writer import Writer

if TYPE_CHECKING:
    from server.telemetry.tracking.tracker import Tracker


@dataclass(frozen=True)
class Parts:
    """What is made for one process and lives as long as it does."""

    metrics: Metrics
    database: Database
    vault: Vault
    brakes: Brakes
    tenants: Tenants
    stores: Stores
    ledger: WriteLedger
    history: History
    recovery: Recovery
    disk: DiskReserve
    services: Services
    cache: Cache
    limiter: TenantLimiter
    audit: Audit
    client: OrderDeskClient
    retention: Retention
    registry: Registry
    webhooks: Webhooks
    loop_lag: LoopLag

    def start(self) -> None:
        """Begin what goes on in the background of a server: audit rows, look-ups, retention, the loop's lag."""
        self.audit.start()
        self.recovery.start()
        self.retention.start()
        self.loop_lag.start()

    async def stop(self, by: float) -> int:
        """End it, trying until `by` (on the monotonic clock) to write every audit row; returns how many were lost."""
        self.loop_lag.stop()
        await self.retention.stop()
        await self.recovery.stop()
        return await self.audit.stop(by)


def build_parts(settings: Settings, logger: Logger, *, obey_brakes: bool = True) -> Parts:
    """Everything behind the protocol. Nothing is opened yet. An operator's own writes do not obey the brakes."""
    metrics = Metrics(__version__, settings.environment)
    database = Database(settings.database_url, metrics)
    if settings.statement_log is not None:
        log_statements(database.engine.sync_engine, settings.statement_log)
    vault = Vault(*settings.master_keys_bytes)
    brakes = (Brakes if obey_brakes else NoBrakes)(database, cap=settings.destructive_cap_per_hour)
    wrong_keys = WrongKeys(settings.wrong_keys_per_minute, metrics, logger)
    tenants, stores = Tenants(database, vault, brakes, metrics, wrong_keys=wrong_keys), Stores(database, vault)
    cache = Cache(settings.cache_max_bytes, metrics)
    client = OrderDeskClient(
        settings.orderdesk_base_url,
        timeout=settings.http_timeout_seconds,
        retries=settings.http_max_retries,
        metrics=metrics,
        logger=logger,
    )
    gateway = Gateway(client, stores, brakes)
    desk = Desk(gateway, cache, settings.mutation_max_retries)
    disk = DiskReserve(database.path, settings.disk_reserve_bytes)
    metrics.disk_free.set_function(disk.free_bytes)
    metrics.disk_reserve.set(settings.disk_reserve_bytes)
    leases = Leases.of_this_process(settings.call_deadline_seconds)
    ledger = WriteLedger(database, vault, brakes, leases)
    services = Services(
        tenants,
        stores,
        desk,
        Orders(desk, cache, ttl=settings.cache_ttl_orders_seconds, list_ttl=settings.cache_ttl_lists_seconds),
        Products(desk, cache, ttl=settings.cache_ttl_products_seconds, list_ttl=settings.cache_ttl_lists_seconds),
        Writer(ledger, brakes, gateway, disk, logger, clock=time.monotonic),
        Profiles(desk.gateway, cache, ttl=settings.cache_ttl_store_seconds),
    )
    limiter = TenantLimiter(settings.rate_limit_rpm, metrics)
    audit = Audit(database, metrics, logger)
    registry = Registry(
        services,
        limiter=limiter,
        audit=audit,
        metrics=metrics,
        logger=logger,
        deadline_seconds=settings.call_deadline_seconds,
        toolsets=settings.toolsets,
    )
    history = History(database, leases)
    recovery = Recovery(
        history,
        ledger,
        services,
        {tool.name: tool for tool in ALL if isinstance(tool, WriteTool)},
        logger,
        deadline_seconds=settings.call_deadline_seconds,
    )
    retention = Retention(
        database, metrics, logger, audit_days=settings.audit_retention_days, write_days=settings.write_retention_days
    )
    webhooks = Webhooks(stores, vault, cache, metrics, logger)
    return Parts(
        metrics,
        database,
        vault,
        brakes,
        tenants,
        stores,
        ledger,
        history,
        recovery,
        disk,
        services,
        cache,
        limiter,
        audit,
        client,
        retention,
        registry,
        webhooks,
        LoopLag(metrics),
    )


def build_dispatcher(parts: Parts) -> Dispatcher:
    """What answers MCP messages, whatever the transport that they come in on."""
    return Dispatcher(production_surface(parts.registry, parts.limiter))


def build_application(
    settings: Settings,
    logger: Logger,
    *,
    surface: Surface | None = None,
    authenticate: Authenticate | None = None,
    tracker: Tracker | None = None,
) -> Edge:
    """The ASGI application. `surface` and `authenticate` stand in for the production ones where a test has its own."""
    parts = build_parts(settings, logger)
    transport = Transport(
        Dispatcher(surface) if surface else build_dispatcher(parts),
        authenticate or parts.tenants.authenticate,
        query_token=settings.query_token_enabled,
    )
    if tracker is not None:
        tracker.attach(parts.metrics, parts.database.engine.sync_engine)
        transport = tracker.follow(transport)

    async def start() -> None:
        parts.start()
        ready, body = await health.ready()
        if not ready:
            logger.warning("server.not_ready", **body["checks"])

    async def stop() -> None:
        try:
            edge.rows_lost = await parts.stop(edge.stop_by)
        finally:
            await parts.client.close()
            await parts.database.close()

    health = Health(
        settings, parts.database, parts.cache, parts.stores, parts.disk, time.monotonic(), lambda: edge.draining
    )
    admin_token = settings.admin_token.get_secret_value() if settings.admin_token else None
    web = create_web(health, parts.metrics, parts.webhooks, admin_token, start=start, stop=stop)
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
