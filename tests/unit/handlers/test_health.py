"""The OpenRPC document is made once, however many ask for it at once."""

from collections.abc import Iterator
from typing import Any, cast

import anyio
import pytest
from msgspec import Raw

from deskbus.handlers import health
from deskbus.reliability.health_monitor import HealthMonitor
from deskbus.rpc.connection import Call
from deskbus_protocol.export import openrpc as exporter
from deskbus_protocol.method import NoParams


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    times: list[int] = []

    def openrpc() -> dict[str, str]:
        times.append(1)
        return {"openrpc": "1.3.2"}

    health._openrpc.cache_clear()
    monkeypatch.setattr(exporter, "openrpc", openrpc)
    yield times
    health._openrpc.cache_clear()


@pytest.mark.requirement("C")
async def test_those_who_ask_while_it_is_made_wait_for_it(made: list[int]) -> None:
    discover = health.handlers(cast(HealthMonitor, None))["rpc.discover"]
    answers: list[Any] = []

    async def ask() -> None:
        answers.append(await discover(cast(Call, None), NoParams()))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(ask)
    assert answers == [Raw(b'{"openrpc":"1.3.2"}')] * 50
    assert made == [1]
