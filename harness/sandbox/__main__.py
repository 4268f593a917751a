"""`python -m harness.sandbox`: start the emulator and say on standard output, in one JSON line, where it listens."""

import argparse
import socket
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import orjson

from harness.sandbox.application import Application
from harness.sandbox.clock import Clock
from harness.sandbox.gateway import Gateway
from harness.sandbox.journal import Journal
from harness.sandbox.serving import serve
from harness.sandbox.store import Store

MOST_ORDERS = 1_000_000
MOST_STORES = 5_000


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _refuse(message)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then return. Wrong options, or a socket that cannot be had, exit with 2."""
    options = _parser().parse_args(arguments)
    if (options.store_id is None) != (options.api_key is None):
        _refuse("--store-id and --api-key go together")
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family, backlog=1)
    except (OSError, OverflowError) as error:
        _refuse(f"cannot listen on {options.host} port {options.port}: {error}")
    clock = Clock()
    stores = [
        Store(
            seed=options.seed,
            number=number,
            orders=options.orders,
            clock=clock,
            store_id=options.store_id if number == 0 else None,
            api_key=options.api_key if number == 0 else None,
        )
        for number in range(options.stores)
    ]
    by_id = {store.id: store for store in stores}
    if len(by_id) < len(stores):
        _refuse(f"--store-id {options.store_id} is the id of another store")
    stores[0].open()  # often the only one, and large: nobody who was told where to ask waits for it
    gateway = Gateway(by_id, Journal(options.journal_limit), clock)
    serve(Application(gateway), listener, lambda: _announce(listener, stores))


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="python -m harness.sandbox", description="An emulator of the OrderDesk v2 API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_within(0, 65_535), default=0, help="port; 0 takes any free one (%(default)s)")
    parser.add_argument("--orders", type=_within(0, MOST_ORDERS), default=200, help="orders per store (%(default)s)")
    parser.add_argument("--stores", type=_within(1, MOST_STORES), default=1, help="number of stores (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same catalogue (%(default)s)")
    parser.add_argument("--store-id", help="id of the first store (follows from its number)")
    parser.add_argument("--api-key", help="API key of the first store (follows from the seed)")
    parser.add_argument(
        "--journal-limit", type=_within(1, 10_000_000), default=50_000, help="journal entries kept (%(default)s)"
    )
    return parser


class _within:  # noqa: N801 -- argparse names the type in its messages
    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def __call__(self, text: str) -> int:
        value = int(text)
        if not self.low <= value <= self.high:
            raise argparse.ArgumentTypeError(f"must be from {self.low} to {self.high}")
        return value

    def __repr__(self) -> str:
        return "whole number"


def _announce(listener: socket.socket, stores: Sequence[Store]) -> None:
    credentials: list[dict[str, Any]] = [
        {"store_id": store.id, "api_key": store.api_key, "name": store.name} for store in stores
    ]
    host, port = listener.getsockname()[:2]
    line = {
        "event": "sandbox.listening",
        "host": host,
        "port": port,
        "store_id": stores[0].id,
        "api_key": stores[0].api_key,
        "stores": credentials,
    }
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"sandbox: {message}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
