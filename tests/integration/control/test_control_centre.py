"""The control centre's methods over the wire: what they tell, whom, and what is recorded of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.methods import METHODS
from tests.integration.commands.test_cli import headless, run
from tests.integration.shell import LIMIT_S, TestShell, start_shell

CONFIG = """
[persistence]
topics = ["orders.#"]

[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{ permission = "messaging.write", scope = "#" }]

[[apps]]
id = "desk.blotter"
name = "Blotter"
grants = [{ permission = "messaging.read", scope = "#" }]
declares = [{ permission = "control.view", scope = "all" }]

[[apps]]
id = "desk.watcher"
name = "Watcher"
grants = [{ permission = "control.view", scope = "all" }]

[[apps]]
id = "desk.operator"
name = "Operator"
grants = [
    { permission = "control.act", scope = "all" },
    { permission = "messaging.write", scope = "tests.#" },
]
"""

VIEWS = sorted(
    row.name
    for row in METHODS.values()
    if row.permission == "control.view" and row.callers == "shell"
)
ACTIONS = sorted(row.name for row in METHODS.values() if row.permission == "control.act")


@pytest.fixture(scope="module")
async def shell(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path_factory.mktemp("control") / "data", config=CONFIG) as running:
        yield running


async def told(client: Client, method: str, **params: object) -> dict[str, Any]:
    answer: dict[str, Any] = await client.call(method, params, result=dict)
    return answer


async def records(
    shell: TestShell, kind: str, apps: list[str], count: int = 1
) -> list[dict[str, Any]]:
    """Once there are so many; the newest first."""
    with anyio.fail_after(LIMIT_S):
        while True:
            page = await told(shell.client, "audit.query", types=[kind], apps=apps)
            if len(page["records"]) >= count:
                return list(page["records"])
            await anyio.sleep(0.05)


@pytest.mark.requirement("7.1")
async def test_traffic_tells_who_talks_to_whom_and_how_much(shell: TestShell) -> None:
    async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
        await blotter.call("bus.subscribe", {"pattern": "prices.#"}, result=dict)
        for number in range(20):
            await told(feed, "bus.publish", topic="prices.EURUSD", payload=number)
        found = await told(shell.client, "control.traffic", search="eurusd")
        [topic] = found["topics"]
        assert topic["topic"] == "prices.EURUSD"
        assert topic["messages"] == 20
        assert [(one["app"], one["share"]) for one in topic["writers"]] == [("desk.feed", 1.0)]
        assert [one["app"] for one in topic["readers"]] == ["desk.blotter"]

        overview = await told(shell.client, "control.overview")
        assert overview["acts"]
        assert overview["clients"] >= 2
        assert [one["topic"] for one in overview["topics"]] == ["prices.EURUSD"]
        assert overview["topics"][0]["rate"] > 0
        assert overview["talkers"][0]["app"] == "desk.feed"

        clients = await told(shell.client, "control.clients")
        reading = {one["app"]: one["subscriptions"] for one in clients["clients"]}
        assert reading["desk.blotter"] == ["prices.#"]


@pytest.mark.requirement("7.5")
async def test_a_topics_tail_goes_on_where_it_was_and_tells_what_it_skipped(
    shell: TestShell,
) -> None:
    async with shell.app("desk.feed") as feed:
        for number in range(8):
            await told(feed, "bus.publish", topic="tail.one", payload=number)
        first = await told(shell.client, "control.topic", topic="tail.one", limit=5)
        assert [one["payload"] for one in first["messages"]] == [3, 4, 5, 6, 7]
        assert first["skipped"] == 0
        for number in range(8, 15):
            await told(feed, "bus.publish", topic="tail.one", payload=number)
        seen = first["messages"][-1]["seq"]
        more = await told(shell.client, "control.topic", topic="tail.one", after=seen, limit=3)
        assert [one["payload"] for one in more["messages"]] == [12, 13, 14]
        assert more["skipped"] == 4
        none = await told(shell.client, "control.topic", topic="tail.one", after=more["seq"])
        assert (none["messages"], none["skipped"]) == ([], 0)


async def test_the_course_of_the_figures_has_a_value_for_each_time(shell: TestShell) -> None:
    with anyio.fail_after(LIMIT_S):
        while True:
            course = await told(shell.client, "control.samples", span=60_000)
            if any(value is not None for value in course["series"]["received"]):
                break
            await anyio.sleep(0.1)
    assert course["step"] == 1000
    assert all(len(series) == len(course["times"]) for series in course["series"].values())
    assert course["series"]["memory"][-1] > 1_000_000
    long = await told(shell.client, "control.samples", span=86_400_000)
    assert long["step"] == 60_000


@pytest.mark.requirement("3.5")
@pytest.mark.parametrize("method", VIEWS)
async def test_an_app_sees_what_operators_see_only_with_the_permission(
    shell: TestShell, method: str
) -> None:
    async with (
        shell.app("desk.blotter", honest=False) as blotter,
        shell.app("desk.watcher", honest=False) as watcher,
    ):
        with pytest.raises(DeskbusError) as refused:
            await blotter.call(method, {}, result=dict)
        assert refused.value.kind is PERMISSION_DENIED
        try:
            await watcher.call(method, {}, result=dict)
        except DeskbusError as error:
            # It wants parameters, which are looked at only for a caller that may call.
            assert error.kind is not PERMISSION_DENIED  # noqa: PT017


@pytest.mark.requirement("3.4")
@pytest.mark.parametrize("method", ACTIONS)
async def test_who_may_look_may_not_act(shell: TestShell, method: str) -> None:
    async with shell.app("desk.watcher", honest=False) as watcher:
        with pytest.raises(DeskbusError) as refused:
            await watcher.call(method, {}, result=dict)
        assert refused.value.kind is PERMISSION_DENIED


async def test_a_permission_that_is_taken_back_counts_from_the_next_call_on(
    shell: TestShell,
) -> None:
    grant = {"app": "desk.blotter", "permission": "control.view", "scope": "all"}
    async with shell.app("desk.blotter") as blotter:
        await told(shell.client, "permissions.grant", **grant)
        assert not (await told(blotter, "control.overview"))["acts"]
        await told(shell.client, "permissions.revoke", **grant)
        with pytest.raises(DeskbusError) as refused:
            await told(blotter, "control.overview")
        assert refused.value.kind is PERMISSION_DENIED


@pytest.mark.requirement("8.1")
async def test_every_action_is_recorded_with_who_and_on_what(shell: TestShell) -> None:
    async with shell.app("desk.operator") as operator:
        sent = await told(operator, "control.publish", topic="tests.one", payload={"x": 1})
        assert sent["seq"] >= 1
        with pytest.raises(DeskbusError):
            await told(operator, "control.publish", topic="prices.one", payload=1)
        await told(operator, "bus.purge", numbers=[])
    found = await records(shell, "control.acted", ["desk.operator"], 4)
    what = [(one["app"], one["details"]["method"], one["details"].get("target")) for one in found]
    assert ("desk.operator", "control.publish", "tests.one") in what
    assert ("desk.operator", "bus.purge", None) in what
    failed, attempted = [one for one in found if one["details"].get("target") == "prices.one"]
    assert not attempted["reason"]
    assert failed["reason"].startswith("failed: ")


@pytest.mark.requirement("8.2")
async def test_changed_limits_are_recorded_with_what_they_were(shell: TestShell) -> None:
    await told(
        shell.client, "apps.setLimits", app="desk.feed", limits={"memory_mb": 256, "strikes": 2}
    )
    [record, *_] = await records(shell, "app.limits_changed", ["desk.feed"])
    assert record["app"] == "desk.feed"
    assert "memory_mb=256" in record["details"]["after"]
    assert "memory_mb" not in record["details"]["before"]


async def test_the_shell_is_asked_to_open_it_at_a_page(shell: TestShell) -> None:
    asked: list[bytes] = []

    async def opened(params: Any) -> object:
        asked.append(bytes(params))
        return {}

    shell.client.handle("ui.openControlCentre", opened)
    await told(shell.client, "control.open", page="bus/prices.EURUSD")
    assert b'"bus/prices.EURUSD"' in asked[0]


async def test_without_a_shell_it_says_that_there_is_no_window(tmp_path: Path) -> None:
    async with headless(tmp_path):
        code, _, words = await run("control-centre", data_dir=tmp_path)
    assert code != 0
    assert "No shell is connected" in words
