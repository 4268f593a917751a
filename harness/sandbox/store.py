"""One store of the sandbox: its credentials, its orders and inventory, its rate limit, and its pending changes."""

from functools import cached_property
from hashlib import blake2b
from itertools import count

from harness.sandbox import vocabulary as words
from harness.sandbox.bucket import Bucket, BucketSettings
from harness.sandbox.catalogue import Catalogue
from harness.sandbox.clock import Clock
from harness.sandbox.inventory import Inventory
from harness.sandbox.journal import Change
from harness.sandbox.orders import Orders

FIRST_STORE_ID = 20_101


class Store:
    """A store made from (seed, number). Store id and API key follow from them too, unless they are given.

    What it holds is made when it is first asked for, so that a thousand stores cost what those asked cost.
    """

    def __init__(
        self,
        *,
        seed: int,
        number: int,
        orders: int,
        clock: Clock,
        store_id: str | None = None,
        api_key: str | None = None,
    ) -> None:
        self._seed, self._number, self._orders = seed, number, orders
        self.id = store_id or str(FIRST_STORE_ID + number)
        self.api_key = api_key or _secret("api-key", seed, number)
        self.smtp_password = _secret("smtp-password", seed, number)
        self.name = words.STORE_NAMES[number % len(words.STORE_NAMES)]
        self.bucket = Bucket(BucketSettings(), clock.monotonic)
        self._applied: list[Change] = []

    @cached_property
    def catalogue(self) -> Catalogue:
        """What the store held before anybody changed it."""
        return Catalogue(self._seed, self._number, self._orders)

    @cached_property
    def orders(self) -> Orders:
        """The orders of the store, as they are now."""
        return Orders(self.catalogue, self._applied.append)

    @cached_property
    def inventory(self) -> Inventory:
        """The inventory of the store, as it is now."""
        return Inventory(self.catalogue.inventory(), self._applied.append)

    @cached_property
    def _part_ids(self) -> "count[int]":
        return count(self.catalogue.first_part_id)

    def open(self) -> None:
        """Make what it holds now: 0.4 s for 100,000 orders."""
        self.orders  # noqa: B018 -- made by asking

    def new_part_id(self) -> int:
        """An id that no order item or shipment of this store has had."""
        return next(self._part_ids)

    def take_changes(self) -> list[Change]:
        """The changes applied since this was last asked, in their order."""
        taken = self._applied.copy()
        self._applied.clear()
        return taken


def _secret(kind: str, seed: int, number: int) -> str:
    # A fixed function of the seed, like everything of a sandbox: it protects nothing.
    return blake2b(f"{kind}:{seed}:{number}".encode(), digest_size=20).hexdigest()
