"""The Quart app beside the MCP endpoint: health, metrics and OrderDesk's webhook."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from server.edge.layer import UNMATCHED
from server.health import Health
from server.telemetry.metrics import Metrics
from server.webhooks import Delivery, Webhooks, answer


def create_web(
    health: Health,
    metrics: Metrics,
    webhooks: Webhooks,
    admin_token: str | None,
    *,
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
) -> Quart:
    """The app. `start` and `stop` run with the server's lifespan."""
    app = Quart("quartermaster", static_folder=None)
    # A fault is counted, logged and answered where those of the MCP endpoint are: in the layer around both.
    app.config["PROPAGATE_EXCEPTIONS"] = True

    def closed() -> Response | None:
        """A refusal unless the operator's token is shown; without such a token, nobody gets in."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        if admin_token is not None and hmac.compare_digest(given, admin_token.encode()):
            return None
        _count_error(app, metrics, "AUTH_ERROR")
        return _error(
            401, "AUTH_ERROR", "Authorization: Bearer ADMIN_TOKEN is required", {"WWW-Authenticate": "Bearer"}
        )

    @app.get("/health")
    async def basic() -> dict[str, Any]:
        return health.basic()

    @app.get("/health/live")
    async def live() -> dict[str, Any]:
        return {"status": "alive"}

    @app.get("/health/ready")
    async def ready() -> tuple[dict[str, Any], int]:
        is_ready, body = await health.ready()
        return body, 200 if is_ready else 503

    @app.get("/health/detailed")
    async def detailed() -> Response | dict[str, Any]:
        return closed() or await health.detailed()

    @app.get("/metrics")
    async def exposition() -> Response:
        return closed() or Response(metrics.exposition(), 200, content_type=CONTENT_TYPE_LATEST)

    @app.post("/webhooks/orderdesk")
    async def webhook() -> Response:
        delivery = Delivery(
            store_id=request.headers.get("X-Order-Desk-Store-Id", ""),
            signature=request.headers.get("X-Order-Desk-Hash", ""),
            content_type=request.headers.get("Content-Type", ""),
            body=await request.body,
        )
        status, body = answer(await webhooks.receive(delivery), _request_id())
        return Response(orjson.dumps(body), status, content_type="application/json")

    @app.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Response:
        code = error.name.upper().replace(" ", "_")
        _count_error(app, metrics, code)
        allowed = error.valid_methods if isinstance(error, MethodNotAllowed) else None
        return _error(error.code or 500, code, error.name, {"Allow": ", ".join(sorted(allowed))} if allowed else None)

    app.before_serving(start)
    app.after_serving(stop)
    return app


def endpoints(app: Quart) -> frozenset[str]:
    """The paths of the app's routes: all of them static, so a path is its own template."""
    return frozenset(rule.rule for rule in app.url_map.iter_rules())


def _request_id() -> str:
    """The request's id, as the layer around the app gave or took it."""
    return str(cast("dict[str, Any]", request.scope)["request_id"])


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    error = {"code": code, "message": message, "request_id": _request_id()}
    return Response(orjson.dumps({"error": error}), status, {**(headers or {}), "Content-Type": "application/json"})


def _count_error(app: Quart, metrics: Metrics, code: str) -> None:
    metrics.errors.labels("http", code, request.path if request.path in endpoints(app) else UNMATCHED).inc()
