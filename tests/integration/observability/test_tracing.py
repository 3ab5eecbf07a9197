"""Traces of a real backend: kept there, sent to a collector, and on the command line."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.errors import DeskbusError
from tests.integration.observability.otlp import Collector, attributes_of, collector
from tests.integration.shell import LIMIT_S, TestShell, start_shell

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-00"}

APPS = """
[persistence]
topics = ["orders.#"]
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [
    { permission = "messaging.write", scope = "#" },
    { permission = "messaging.read", scope = "orders.#" },
]
[[apps]]
id = "desk.blotter"
name = "Blotter"
grants = [
    { permission = "messaging.read", scope = "#" },
    { permission = "messaging.write", scope = "orders.#" },
]
declares = [{ permission = "messaging.write", scope = "fills.#" }]
"""


@asynccontextmanager
async def traced(
    folder: Path, *, ratio: float = 0.0, more: str = "", endpoint: str = "", apps: str = ""
) -> AsyncIterator[TestShell]:
    config = f"tools = true\n[tracing]\nenabled = true\nratio = {ratio}\n{more}\n"
    if endpoint:
        config += f'endpoint = "{endpoint}"\n'
    async with start_shell(folder / "data", config=config + APPS + apps) as running:
        yield running


async def spans_of(shell: TestShell, wanted: set[str], trace_id: str = TRACE) -> dict[str, Any]:
    """The spans of a trace by name, once these are among them."""
    with anyio.fail_after(LIMIT_S):
        while True:
            try:
                found = await shell.client.call("traces.get", {"traceId": trace_id}, result=dict)
            except DeskbusError:
                found = {"spans": []}
            named = {span["name"]: span for span in found["spans"]}
            if wanted <= named.keys():
                return named
            await anyio.sleep(0.02)


@pytest.mark.requirement("7.3")
async def test_a_message_is_followed_from_its_sender_to_its_readers(tmp_path: Path) -> None:
    async with (
        traced(tmp_path) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.blotter") as blotter,
        blotter.subscribe("orders.#") as orders,
    ):
        await feed.publish("orders.new", 1, _meta=SAMPLED, confirm=True, durable=True)
        message = await orders.receive()
        found = await spans_of(
            shell,
            {"publish orders.new", "permission.check", "route", "persist", "fsync",
             "deliver orders.new"},
        )  # fmt: skip
    root = found["publish orders.new"]
    assert root["parentId"] == PARENT
    assert root["attributes"]["rpc.system"] == "jsonrpc"
    assert root["attributes"]["messaging.destination.name"] == "orders.new"
    assert root["attributes"]["deskbus.app"] == "desk.feed"
    assert {span["parentId"] for name, span in found.items() if name != "publish orders.new"} == {
        root["spanId"]
    }
    assert found["deliver orders.new"]["attributes"]["deskbus.app"] == "desk.blotter"
    # Its reader goes on from the backend's span.
    assert message.meta
    assert message.meta.traceparent == f"00-{TRACE}-{root['spanId']}-01"


@pytest.mark.requirement("7.3")
async def test_a_request_and_its_reply_are_one_trace(tmp_path: Path) -> None:
    async with (
        traced(tmp_path) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.blotter") as blotter,
        anyio.create_task_group() as tasks,
    ):
        stop = await blotter.respond("orders.fill", lambda _: _filled())
        await feed.request("orders.fill", 1, _meta=SAMPLED)
        found = await spans_of(shell, {"request orders.fill", "reply orders.fill"})
        stop()
        tasks.cancel_scope.cancel()
    assert found["reply orders.fill"]["parentId"] == found["request orders.fill"]["spanId"]
    assert found["request orders.fill"]["duration"] >= found["reply orders.fill"]["duration"]


async def _filled() -> str:
    return "filled"


@pytest.mark.requirement("3.4", "7.3")
async def test_call_prompt_dialog_and_record_have_one_trace(tmp_path: Path) -> None:
    dialogs: list[Any] = []
    async with traced(tmp_path) as shell, shell.app("desk.blotter") as blotter:

        async def person(asked: Any) -> dict[str, Any]:
            dialogs.append(asked)
            return await shell.allow(asked)

        shell.person = person
        wanted = {"permission": "messaging.write", "scope": "fills.#", "_meta": SAMPLED}
        await blotter.call("permissions.request", wanted)
        found = await spans_of(shell, {"permissions.request", "permission.check", "prompt"})
        page = await shell.client.call("audit.query", {"correlationId": TRACE}, result=dict)
    assert found["prompt"]["attributes"]["deskbus.outcome"] == "allow"
    assert found["permission.check"]["parentId"] == found["permissions.request"]["spanId"]
    assert found["prompt"]["duration"] >= 500
    assert dialogs[0].meta.traceparent == f"00-{TRACE}-{found['prompt']['spanId']}-01"
    assert "permission.granted" in {record["type"] for record in page["records"]}


@pytest.mark.requirement("7.3")
async def test_a_collector_gets_every_span_in_protobuf(tmp_path: Path) -> None:
    with collector() as receiver:
        async with (
            traced(
                tmp_path, endpoint=receiver.url, more='headers = { x-tenant = "desk" }'
            ) as shell,
            shell.app("desk.feed") as feed,
            shell.app("desk.blotter") as blotter,
            blotter.subscribe("prices.#"),
        ):
            await feed.publish("prices.EURUSD", 1, _meta=SAMPLED, confirm=True)
            with pytest.raises(DeskbusError):
                await blotter.publish("prices.GBPUSD", 1, _meta=SAMPLED, confirm=True)
            names = {"publish prices.EURUSD", "route", "deliver prices.EURUSD"}
            found = await receiver.until_spans(names, TRACE)
            health = await shell.client.call("health.get", result=dict)
    span = found["deliver prices.EURUSD"]
    assert span.parent_span_id == found["publish prices.EURUSD"].span_id
    assert attributes_of(span)["deskbus.app"] == "desk.blotter"
    failed = [s for s in receiver.spans if s.status.code == 2]
    assert [attributes_of(s)["error.type"] for s in failed] == ["permission"]
    assert attributes_of(receiver.resources[0])["service.name"] == "deskbus"
    assert attributes_of(receiver.resources[0])["service.instance.id"] == shell.hello.epoch
    assert receiver.headers[0]["x-tenant"] == "desk"
    assert health["components"]["tracing"]["status"] == "ok"
    assert health["breakers"]["traces"]["state"] == "closed"


async def test_a_collector_that_is_away_or_answers_nonsense_is_told_in_health_and_holds_up_nobody(
    tmp_path: Path,
) -> None:
    receiver = Collector()
    async with (
        traced(tmp_path, endpoint=receiver.url) as shell,
        shell.app("desk.feed") as feed,
    ):

        async def unwell() -> str:
            with anyio.fail_after(LIMIT_S):
                while True:
                    health = await shell.client.call("health.get", result=dict)
                    if health["components"]["tracing"]["status"] == "degraded":
                        return str(health["components"]["tracing"]["detail"])
                    await anyio.sleep(0.05)

        await feed.publish("prices.EURUSD", 1, _meta=SAMPLED, confirm=True)
        assert "no connection to the collector" in await unwell()
        receiver.status = 503
        with receiver.running():
            with anyio.fail_after(LIMIT_S):
                while receiver.asked == 0:
                    await anyio.sleep(0.02)
            with anyio.fail_after(20):
                await feed.publish("prices.EURUSD", 2, confirm=True)
            # It takes them again: what it has not had is sent once more.
            receiver.status = 200
            await receiver.until_spans({"publish prices.EURUSD", "route"}, TRACE)


async def test_a_collector_that_hangs_costs_the_bus_nothing(tmp_path: Path) -> None:
    """Beside the same publishes with a collector that answers."""
    with collector() as receiver:
        async with (
            traced(tmp_path, ratio=1.0, endpoint=receiver.url) as shell,
            shell.app("desk.feed") as feed,
        ):

            async def took_s() -> float:
                began_s = time.perf_counter()
                for _ in range(200):
                    await feed.publish("prices.EURUSD", 1, confirm=True, _meta=SAMPLED)
                return time.perf_counter() - began_s

            quick_s = min([await took_s() for _ in range(3)])
            receiver.gate.clear()
            await feed.publish("prices.EURUSD", 1, confirm=True, _meta=SAMPLED)
            asked = receiver.asked
            with anyio.fail_after(LIMIT_S):
                while receiver.asked == asked:
                    await anyio.sleep(0.02)
            # It has been asked, and does not answer.
            hanging_s = min([await took_s() for _ in range(3)])
            assert hanging_s < 5 * quick_s
            with anyio.fail_after(LIMIT_S):
                while True:
                    health = await shell.client.call("health.get", result=dict)
                    told = health["components"]["tracing"]
                    if told["status"] == "degraded":
                        break
                    await anyio.sleep(0.1)
            assert "does not answer" in told["detail"]


async def test_what_is_not_sampled_but_refused_has_one_span_that_says_it_is_incomplete(
    tmp_path: Path,
) -> None:
    async with (
        traced(tmp_path) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.blotter") as blotter,
    ):
        await feed.publish("prices.EURUSD", 1, confirm=True)
        await feed.publish("prices.EURUSD", 1, confirm=True, _meta=NOT_SAMPLED)
        for meta in ({}, {"_meta": NOT_SAMPLED}):
            with pytest.raises(DeskbusError):
                await blotter.publish("prices.EURUSD", 1, confirm=True, **meta)
        found = await shell.client.call("traces.query", result=dict)
        by_id = await shell.client.call("traces.query", {"traceId": TRACE}, result=dict)
    told = [trace for trace in found["traces"] if trace["name"] == "publish prices.EURUSD"]
    assert len(told) == 2
    assert {(trace["error"], trace["incomplete"], trace["spans"]) for trace in told} == {
        ("permission", True, 1)
    }
    assert len(by_id["traces"]) == 1


async def test_a_share_of_messages_and_all_of_some_topics_are_sampled(tmp_path: Path) -> None:
    async with (
        traced(tmp_path, more='topics = ["orders.#"]') as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.blotter") as blotter,
        blotter.subscribe("#") as messages,
    ):
        for number in range(5):
            await feed.publish("orders.new", number)
            await feed.publish("prices.EURUSD", number)
        got = [await messages.receive() for _ in range(10)]
        found = await shell.client.call("traces.query", {"topic": "orders.new"}, result=dict)
    # In their order, as they were sent.
    assert [m.topic for m in got] == ["orders.new", "prices.EURUSD"] * 5
    assert len(found["traces"]) == 5
    assert all(m.meta for m in got if m.topic == "orders.new")
    assert not any(m.meta for m in got if m.topic == "prices.EURUSD")


async def test_a_client_adds_its_own_spans_and_can_be_nobody_else(tmp_path: Path) -> None:
    span = {
        "traceId": TRACE, "spanId": PARENT, "name": "click", "kind": "client",
        "start": 1_700_000_000_000_000, "end": 1_700_000_000_500_000,
    }  # fmt: skip
    async with traced(tmp_path) as shell, shell.app("desk.feed") as feed:
        await feed.call("traces.record", {"spans": [span]})
        found = await spans_of(shell, {"click"})
        with pytest.raises(DeskbusError):
            await feed.call("traces.query", {})
    assert found["click"]["attributes"]["deskbus.app"] == "desk.feed"
    assert found["click"]["duration"] == 500


async def test_a_launch_is_one_trace_with_the_start_and_the_crash(tmp_path: Path) -> None:
    app = """
[[apps]]
id = "desk.brittle"
name = "Brittle"
process = { kind = "python", entry = "brittle.py" }
restart = { when = "never" }
"""
    data = tmp_path / "data"
    data.mkdir()
    (data / "brittle.py").write_text("import sys, time\n" + BRITTLE)
    async with traced(tmp_path, apps=app) as shell:
        await shell.client.call("apps.launch", {"app": "desk.brittle", "_meta": SAMPLED})
        found = await spans_of(shell, {"apps.launch", "app start"})
        (data / "crash").touch()
        found = await spans_of(shell, {"apps.launch", "app start", "app run"})
    assert found["app start"]["parentId"] == found["apps.launch"]["spanId"]
    assert found["app start"]["error"] == ""
    assert found["app run"]["error"] == "crash.exit"
    assert found["app run"]["attributes"]["deskbus.app"] == "desk.brittle"


BRITTLE = """
from pathlib import Path
while not Path("crash").exists():
    time.sleep(0.02)
sys.exit(3)
"""


async def test_the_command_line_lists_traces_and_draws_one(tmp_path: Path) -> None:
    async with traced(tmp_path) as shell, shell.app("desk.feed") as feed:
        await feed.publish("prices.EURUSD", 1, _meta=SAMPLED, confirm=True)
        await spans_of(shell, {"publish prices.EURUSD", "route"})

        async def deskbus(*words: str) -> str:
            command = [
                sys.executable,
                "-m",
                "deskbus",
                *words,
                "--data-dir",
                str(tmp_path / "data"),
            ]
            done = await anyio.run_process(command, stderr=subprocess.PIPE, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout.decode()

        assert TRACE in await deskbus("traces", "--topic", "prices.EURUSD", "--app", "desk.feed")
        assert await deskbus("traces", "--topic", "prices.GBPUSD") == "[]\n"
        assert "publish prices.EURUSD" in await deskbus("trace", TRACE)
