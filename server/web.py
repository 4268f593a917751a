"""The Quart app beside the MCP endpoint: health, metrics and OrderDesk's webhook."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from quart import Quart, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from server.edge.layer import UNMATCHED
from server.health import Health
from server.telemetry.metrics import Metrics
from server.webhooks import ANSWERS, Delivery, Webhooks


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
        return Response(
            '{"error":{"code":"AUTH_ERROR","message":"Authorization: Bearer ADMIN_TOKEN is required"}}',
            401,
            {"WWW-Authenticate": "Bearer", "Content-Type": "application/json"},
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
        status, body = ANSWERS[await webhooks.receive(delivery)]
        return Response(orjson.dumps(body), status, content_type="application/json")

    @app.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> tuple[Response, int]:
        code = error.name.upper().replace(" ", "_")
        _count_error(app, metrics, code)
        return jsonify({"error": {"code": code, "message": error.name}}), error.code or 500

    app.before_serving(start)
    app.after_serving(stop)
    return app


def endpoints(app: Quart) -> frozenset[str]:
    """The paths of the app's routes: all of them static, so a path is its own template."""
    return frozenset(rule.rule for rule in app.url_map.iter_rules())


def _count_error(app: Quart, metrics: Metrics, code: str) -> None:
    metrics.errors.labels("http", code, request.path if request.path in endpoints(app) else UNMATCHED).inc()
