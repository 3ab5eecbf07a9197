"""A permission that is taken back ends at once, also where it is in use."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from deskbus_protocol.bus import RefusedParams
from deskbus_protocol.client import Client
from deskbus_protocol.client.reconnecting_client import SteadyClient
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.history import DeadLetterList
from tests.integration.shell import LIMIT_S, TestShell, start_shell
from tests.support.configuration import app, configuration

pytestmark = pytest.mark.requirement("3.2")

CONFIG = configuration(
    app(
        "desk.ticker",
        declares=["messaging.read #", "messaging.write #", "history #", "process.launch desk.feed"],
    ),
    app("desk.feed", grants=["messaging.write #", "messaging.read #"]),
)


@pytest.fixture
async def shell(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG) as started:
        yield started


async def grant(shell: TestShell, permission: str, scope: str = "#") -> None:
    params = {"app": "desk.ticker", "permission": permission, "scope": scope}
    await shell.client.call("permissions.grant", params)


async def revoke(shell: TestShell) -> int:
    answer = await shell.client.call("permissions.revoke", {"app": "desk.ticker"}, result=dict)
    return int(answer["revoked"])


async def test_subscriptions_close_and_the_app_is_told_which(shell: TestShell) -> None:
    told: list[dict[str, Any]] = []
    heard = anyio.Event()
    async with shell.app("desk.ticker") as ticker, shell.app("desk.feed") as feed:
        await grant(shell, "messaging.read")
        await ticker.call("bus.subscribe", {"pattern": "prices.#"})

        def changed(params: Any) -> None:
            told.append(msgspec.json.decode(params))
            heard.set()

        ticker.observe("permissions.changed", changed)
        assert await revoke(shell) == 1
        with anyio.fail_after(LIMIT_S):
            await heard.wait()
        assert told[-1]["app"] == "desk.ticker"
        assert told[-1]["closed"] == ["prices.#"]
        stats = await shell.client.call("bus.stats", result=dict)
        assert stats["subscriptions"] == 0
        await feed.call("bus.publish", {"topic": "prices.a", "payload": 1})
        assert await refused(ticker, "bus.unsubscribe", {"pattern": "prices.#"}) == "not_found"


async def test_a_client_that_reconnects_by_itself_does_not_ask_for_it_again(
    shell: TestShell,
) -> None:
    await grant(shell, "messaging.read")
    refused_topics: list[str] = []
    told = anyio.Event()

    def on_refused(word: RefusedParams) -> None:
        refused_topics.append(str(word.topic))
        told.set()

    ticker = SteadyClient(
        shell.hello.pipe,
        "desk.ticker",
        partial(shell.ticket, "desk.ticker"),
        while_closed="queue",
    )
    ticker.on_refused = on_refused
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ticker.run)
        with anyio.fail_after(LIMIT_S):
            async with ticker.subscribe("prices.#"):
                await revoke(shell)
                await told.wait()
        tasks.cancel_scope.cancel()
    assert refused_topics == ["prices.#"]
    assert shell.dialogs == []


async def test_what_was_queued_for_it_is_not_delivered(shell: TestShell) -> None:
    async with shell.app("desk.feed") as feed:
        await grant(shell, "messaging.read")
        async with shell.app("desk.ticker") as ticker:
            for pattern, mode in (("prices.#", "live"), ("orders.#", "acknowledged")):
                await ticker.call("bus.subscribe", {"pattern": pattern, "mode": mode})
        with anyio.fail_after(LIMIT_S):
            while await is_online(shell, "desk.ticker"):
                continue
        for topic in ("prices.a", "orders.a"):
            await feed.call("bus.publish", {"topic": topic, "payload": 1})
        await revoke(shell)
        await grant(shell, "messaging.read")
        letters: DeadLetterList = await shell.client.call(
            "bus.deadLetters", {"reason": "revoked"}, result=DeadLetterList
        )
        topics = sorted(msgspec.json.decode(one.message)["topic"] for one in letters.letters)
        assert topics == ["orders.a", "prices.a"]
        queues = await shell.client.call("bus.queued", result=dict)
        assert sum(q["queued"] + q["unacknowledged"] for q in queues["queues"]) == 0


async def test_a_request_under_way_ends_with_an_error_of_its_own(shell: TestShell) -> None:
    asked = anyio.Event()
    async with shell.app("desk.feed") as feed, shell.app("desk.ticker") as ticker:
        await grant(shell, "messaging.write")
        async with feed.subscribe("orders.ask") as questions:
            outcome: list[str] = []

            async def request() -> None:
                params = {"topic": "orders.ask", "payload": 1, "timeout": 20_000}
                asked.set()
                outcome.append(await refused(ticker, "bus.request", params))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(request)
                await questions.receive()
                await revoke(shell)
    assert outcome == ["permission_revoked"]


async def test_history_needs_its_own_permission_and_ends_with_it(shell: TestShell) -> None:
    async with shell.app("desk.feed") as feed, shell.app("desk.ticker") as ticker:
        await feed.call("bus.publish", {"topic": "prices.a", "payload": 1})
        await grant(shell, "messaging.read")
        params = {"topic": "prices.a"}
        shell.person = shell.deny
        assert await refused(ticker, "bus.history", params) == "permission_denied"
        assert shell.dialogs[-1].permission == "history"
        await grant(shell, "history")
        assert len((await ticker.call("bus.history", params, result=dict))["messages"]) == 1
        await revoke(shell)
        assert await refused(ticker, "bus.history", params) == "permission_denied"


async def test_an_app_starts_another_only_with_the_permission(shell: TestShell) -> None:
    async with shell.app("desk.ticker") as ticker:
        shell.person = shell.deny
        assert await refused(ticker, "apps.launch", {"app": "desk.feed"}) == "permission_denied"
        await grant(shell, "process.launch", "desk.feed")
        launched = await ticker.call("apps.launch", {"app": "desk.feed"}, result=dict)
        assert launched["status"]["app"] == "desk.feed"


async def test_a_policy_that_is_reloaded_closes_what_it_denies(
    shell: TestShell, tmp_path: Path
) -> None:
    async with shell.app("desk.ticker") as ticker:
        await grant(shell, "messaging.read")
        await ticker.call("bus.subscribe", {"pattern": "prices.#"})
        policy = tmp_path / "data/policy.toml"
        policy.write_text('[[rules]]\npermission = "messaging.read"\neffect = "deny"\n')
        status = await shell.client.call("policy.reload", result=dict)
        assert status["status"]["rules"] == 1
        answer = await ticker.call(
            "permissions.query", {"permission": "messaging.read", "scope": "prices.a"}, result=dict
        )
        assert answer["state"] == "denied"
        assert (await shell.client.call("bus.stats", result=dict))["subscriptions"] == 0
        policy.write_text("[[rules")
        with pytest.raises(DeskbusError, match="was not changed"):
            await shell.client.call("policy.reload")
        health = await shell.client.call("health.get", result=dict)
        assert health["components"]["permissions"]["status"] == "degraded"


async def test_the_shell_is_told_with_an_epoch_that_its_copy_can_be_held_against(
    shell: TestShell,
) -> None:
    told: list[dict[str, Any]] = []
    heard = anyio.Event()

    def changed(params: Any) -> None:
        told.append(msgspec.json.decode(params))
        heard.set()

    shell.client.observe("permissions.changed", changed)
    before = await shell.client.call("permissions.grantsOf", {"app": "desk.ticker"}, result=dict)
    await grant(shell, "messaging.read", "prices.#")
    with anyio.fail_after(LIMIT_S):
        await heard.wait()
    after = await shell.client.call("permissions.grantsOf", {"app": "desk.ticker"}, result=dict)
    assert before["rules"] == []
    assert after["rules"] == [{"permission": "messaging.read", "scope": "prices.#", "allow": True}]
    assert before["epoch"] < told[-1]["epoch"] <= after["epoch"]


async def is_online(shell: TestShell, app: str) -> bool:
    queues = await shell.client.call("bus.queued", result=dict)
    return any(queue["online"] for queue in queues["queues"] if queue["app"] == app)


async def refused(client: Client, method: str, params: object) -> str:
    with pytest.raises(DeskbusError) as error:
        await client.call(method, params)
    return error.value.kind.name
