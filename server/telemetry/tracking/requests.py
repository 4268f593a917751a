"""Transports whose requests leave a trail: the same as without, with a tracker told when one begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.protocol.stdio import Session
from server.protocol.transport import Transport

if TYPE_CHECKING:
    from server.protocol.exchange import Notes
    from server.protocol.http import Reply, Request
    from server.telemetry.tracking.tracker import Tracker


class FollowedTransport(Transport):
    """A transport over HTTP, followed."""

    def __init__(self, followed: Transport, tracker: Tracker) -> None:
        self._followed = followed
        self._tracker = tracker

    async def handle(self, request: Request) -> Reply:
        """As the transport that is followed."""
        trail = self._tracker.begin(request.request_id, request.notes)
        try:
            return await self._followed.handle(request)
        finally:
            self._tracker.end(trail)


class FollowedSession(Session):
    """A session on the standard streams, followed."""

    def __init__(self, followed: Session, tracker: Tracker) -> None:
        self._followed = followed
        self._tracker = tracker

    def read(self, line: bytes | None) -> object:
        """As the session that is followed."""
        return self._followed.read(line)

    async def answer(self, item: object, request_id: str, notes: Notes) -> bytes | None:
        """As the session that is followed."""
        trail = self._tracker.begin(request_id, notes)
        try:
            return await self._followed.answer(item, request_id, notes)
        finally:
            self._tracker.end(trail)
