"""Sentry's API for the alert rules of one project, as its documentation and its source have it, with troubles."""

import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.integration.background import served

TOKEN = "sntryu_made-up-for-tests"
ROOT = "/api/0/projects/shop/quartermaster/rules/"
PAGE = 4


@dataclass
class Stub:
    """What it holds and what it was asked. `troubles` are answers (method, status, headers) given once each first."""

    url: str
    rules: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    troubles: list[tuple[str, int, Mapping[str, str]]] = field(default_factory=list)
    numbers_as_text: bool = False
    pages_without_end: bool = False
    garbage: bool = False
    forgets_what_is_written: bool = False
    ids: Iterator[int] = field(default_factory=lambda: iter(range(101, 10_000)))

    @property
    def writes(self) -> list[str]:
        return [line for line in self.asked if not line.startswith("GET")]

    def add(self, name: str, **members: Any) -> dict[str, Any]:
        """A rule made by somebody."""
        rule = {
            "id": str(next(self.ids)),
            "name": name,
            "actionMatch": "all",
            "filterMatch": "all",
            "frequency": 30,
            "environment": None,
            "conditions": [],
            "filters": [],
            "actions": [],
            "status": "active",
            **members,
        }
        self.rules.append(rule)
        return rule

    def named(self, name: str) -> dict[str, Any]:
        (rule,) = [rule for rule in self.rules if rule["name"] == name]
        return rule


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub

    def _answer(self, status: int, document: object = None, headers: Mapping[str, str] | None = None) -> None:
        body = b"<html>" if self.stub.garbage else b"" if status == 202 else json.dumps(document).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        stub = self.stub
        stub.asked.append(f"{self.command} {self.path}")
        for trouble in stub.troubles:
            if trouble[0] == self.command:
                stub.troubles.remove(trouble)
                return self._answer(trouble[1], {"detail": "trouble"}, trouble[2])
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, {"detail": "Invalid token"})
        found = re.fullmatch(re.escape(ROOT) + r"(?:(\d+)/)?", parts.path)
        if not found:
            return self._answer(404, {"detail": "The requested resource does not exist"})
        if self.command == "GET":
            return self._list(parse_qs(parts.query).get("cursor", ["0:0:0"])[0])
        return self._write(found[1], json.loads(body) if body else {})

    def _list(self, cursor: str) -> None:
        start = int(cursor.split(":")[1])
        page = self.stub.rules[start : start + PAGE]
        before = str(start > 0).lower()
        more = str(self.stub.pages_without_end or start + PAGE < len(self.stub.rules)).lower()
        following = 0 if self.stub.pages_without_end else start + PAGE
        link = (
            f'<{self.stub.url}{ROOT}?cursor=0:0:1>; rel="previous"; results="{before}"; cursor="0:0:1", '
            f'<{self.stub.url}{ROOT}?cursor=0:{following}:0>; rel="next"; results="{more}"; cursor="0:{following}:0"'
        )
        self._answer(200, [self._shown(rule) for rule in page], {"Link": link})

    def _shown(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """As Sentry shows a rule: each node with a label, each action with an id."""

        def node(given: Mapping[str, Any], **more: str) -> dict[str, Any]:
            text = {name: str(value) for name, value in given.items()} if self.stub.numbers_as_text else {}
            return {**given, **text, "name": "in Sentry's words", **more}

        nodes = {member: [node(each) for each in rule[member]] for member in ("conditions", "filters")}
        return {**rule, **nodes, "actions": [node(each, uuid=str(uuid.uuid4())) for each in rule["actions"]]}

    def _write(self, rule_id: str | None, body: dict[str, Any]) -> None:
        stub = self.stub
        if stub.forgets_what_is_written:
            return self._answer(200, body)
        existing = next((rule for rule in stub.rules if rule["id"] == rule_id), None)
        if rule_id is not None and existing is None:
            return self._answer(404, {"detail": "The requested resource does not exist"})
        if self.command == "DELETE":
            assert existing is not None
            stub.rules.remove(existing)
            return self._answer(202)
        does = ("conditions", "filters", "actions", "environment")
        for rule in stub.rules:
            if rule is not existing and all(rule[member] == body[member] for member in does):
                said = f"This rule is an exact duplicate of '{rule['name']}' in this project and may not be created."
                return self._answer(400, {"name": [said]})
        if not 5 <= body["frequency"] <= 43_200:
            return self._answer(400, {"frequency": ["Ensure this value is in range."]})
        if existing is None:
            stub.add(**body)
        else:
            existing.update(body)
        return self._answer(200, body)

    def __getattr__(self, name: str) -> Any:
        """Every method is answered in one place."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


@contextlib.contextmanager
def sentry() -> Iterator[Stub]:
    """Yield the stub, listening."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        stub = Stub(f"http://127.0.0.1:{server.server_address[1]}")
        handler.stub = stub  # type: ignore[attr-defined]
        with served(server):
            yield stub
