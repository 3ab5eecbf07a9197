"""One trace over several clients: Node's and Python's begin traces and go on with them."""

import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.integration.observability.test_tracing import traced
from tests.integration.shell import LIMIT_S

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tests/integration/programs/traced.js"
BRIDGE = ROOT / "electron-bridge/dist/node"


async def filled(_: Any) -> object:
    return "filled"


@pytest.mark.requirement("7.3")
async def test_a_request_of_node_is_one_trace_with_its_handler_in_python(tmp_path: Path) -> None:
    async with (
        traced(tmp_path, more='topics = ["orders.#"]') as shell,
        shell.app("desk.blotter") as blotter,
        blotter.subscribe("orders.done") as done,
        blotter.subscribe("orders.noted") as noted,
    ):
        await blotter.respond("orders.fill", filled)
        ticket = await shell.ticket("desk.feed")
        command = ["node", str(PROGRAM), shell.hello.pipe, ticket, str(BRIDGE)]
        async with await anyio.open_process(command, stderr=subprocess.PIPE) as node:
            with anyio.fail_after(LIMIT_S):
                await done.receive()
                # A handler's messages belong to the message that it handles.
                await blotter.publish("orders.seen", 1)
                await noted.receive()

                async def trace(wanted: set[str]) -> dict[str, Any]:
                    while True:
                        page = await shell.client.call("traces.query", result=dict)
                        for each in page["traces"]:
                            params = {"traceId": each["traceId"]}
                            found = await shell.client.call("traces.get", params, result=dict)
                            spans = {span["name"]: span for span in found["spans"]}
                            if wanted <= spans.keys():
                                return spans
                        await anyio.sleep(0.05)

                asked = await trace(
                    {"bus.request orders.fill", "request orders.fill", "deliver orders.fill",
                     "handle orders.fill", "bus.respond", "reply orders.fill"}
                )  # fmt: skip
                seen = await trace(
                    {"bus.publish orders.seen", "handle orders.seen", "bus.publish orders.noted",
                     "publish orders.noted"}
                )  # fmt: skip
            assert node.stdin is not None
            await node.stdin.aclose()
    root = asked["bus.request orders.fill"]
    assert root["parentId"] == ""
    assert root["attributes"]["deskbus.app"] == "desk.feed"
    assert asked["request orders.fill"]["parentId"] == root["spanId"]
    assert asked["handle orders.fill"]["parentId"] == asked["request orders.fill"]["spanId"]
    assert asked["handle orders.fill"]["attributes"]["deskbus.app"] == "desk.blotter"
    assert asked["bus.respond"]["parentId"] == asked["handle orders.fill"]["spanId"]
    assert root["duration"] >= asked["request orders.fill"]["duration"]
    assert seen["handle orders.seen"]["attributes"]["deskbus.app"] == "desk.feed"
    assert seen["bus.publish orders.noted"]["parentId"] == seen["handle orders.seen"]["spanId"]


async def test_without_terms_clients_mark_nothing(tmp_path: Path) -> None:
    async with (
        traced(tmp_path) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.blotter") as blotter,
        blotter.subscribe("#") as messages,
    ):
        for _ in range(20):
            await feed.publish("prices.EURUSD", 1)
        got = [await messages.receive() for _ in range(20)]
        found = await shell.client.call("traces.query", {"topic": "prices.EURUSD"}, result=dict)
    assert not any(message.meta for message in got)
    assert found["traces"] == []
