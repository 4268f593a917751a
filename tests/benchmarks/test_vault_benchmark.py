"""Sealing and opening: an API key as every upstream call opens it, and the image of an order before a write."""

from typing import Any

import orjson
from pytest_benchmark.fixture import BenchmarkFixture

from server.tenancy.vault import Vault


def test_open_an_api_key(benchmark: BenchmarkFixture, vault: Vault) -> None:
    sealed = vault.seal("t_1", "stores/1", b"k" * 40)
    assert benchmark(vault.open, "t_1", "stores/1", sealed) == b"k" * 40


def test_seal_an_order(benchmark: BenchmarkFixture, vault: Vault, order: dict[str, Any]) -> None:
    image = orjson.dumps(order)
    sealed = benchmark(vault.seal, "t_1", "writes/1", image)
    assert vault.open("t_1", "writes/1", sealed) == image
