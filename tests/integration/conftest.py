"""Fixtures that run the real backend as a process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.federation.natsserver import NatsServer, nats_server
from tests.integration.shell import TestShell, start_shell

CONFIG = """
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{ permission = "messaging.write", scope = "prices.#" }]

[[apps]]
id = "desk.blotter"
name = "Blotter"
publisher = "Desk tools"
grants = [
    { permission = "messaging.read", scope = "prices.#" },
    { permission = "messaging.read", scope = "orders.#" },
    { permission = "app.send", scope = "desk.feed" },
]
declares = [{ permission = "messaging.write", scope = "orders.#" }]

[[apps]]
id = "desk.ticker"
name = "Ticker"
grants = [{ permission = "messaging.write", scope = "orders.prefill" }]
declares = [{ permission = "messaging.read", scope = "prices.#" }]
"""


@pytest.fixture
async def shell(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG) as started:
        yield started


@pytest.fixture
async def open_shell(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    """A shell whose backend permits everything, for tests about other things."""
    async with start_shell(tmp_path / "data", config=CONFIG, consent="allow") as started:
        yield started


@pytest.fixture
async def server(tmp_path: Path, anyio_backend: str) -> AsyncIterator[NatsServer]:
    """A nats-server without any rules."""
    async with nats_server(tmp_path) as started:
        yield started
