"""One click in Blotter, followed under one trace id through page, prompt, bus and records."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.electron import ALLOW, ROOT
from deskbus.commands.backend.developer_session import developer_session
from deskbus_protocol.client import Client
from tests.electron.conftest import PAGES, Starter
from tests.electron.permissions.test_consent import click_when_enabled
from tests.integration.observability.otlp import attributes_of, collector

CONFIG = """
tools = true
[persistence]
topics = ["orders.#"]
[logging]
file = "logs/backend.log"
[tracing]
enabled = true
ratio = 0.0
topics = ["orders.#"]
endpoint = "{collector}"

[[apps]]
id = "demo.blotter"
name = "Blotter"
publisher = "Northwind Desk Tools (demo)"
declares = [{{ permission = "messaging.write", scope = "orders.#" }}]
grants = [{{ permission = "messaging.read", scope = "prices.#" }}]
[[apps.windows]]
url = "{blotter}"

[[apps]]
id = "test.router"
name = "Router"
grants = [{{ permission = "messaging.read", scope = "orders.#" }}]
[[apps.windows]]
url = "{router}"
"""

BUTTON = """(() => {
    const button = document.createElement('button');
    button.id = 'route';
    button.textContent = 'Route';
    button.addEventListener('click', () => {
        deskbus.request('orders.route', { symbol: 'EURUSD', quantity: 7 }).then(
            (answer) => { window.routed = answer.payload; },
            (error) => { window.routed = String(error); },
        );
    });
    document.body.prepend(button);
})()"""

STEPS = {
    "bus.request orders.route": "demo.blotter",  # the page's call
    "bridge bus.request orders.route": "demo.blotter",  # the main process, which passes it on
    "bus.request": "demo.blotter",  # the backend
    "permission.check": None,
    "prompt": "demo.blotter",
    "route": None,
    "persist": None,
    "deliver orders.route": "test.router",
    "handle orders.route": "test.router",  # the page that answers
    "bus.respond": "test.router",
    "bridge bus.respond": "test.router",
    "respond": "test.router",
    "reply orders.route": None,
}
CHILDREN = {
    "bridge bus.request orders.route": "bus.request orders.route",
    "bus.request": "bridge bus.request orders.route",
    "bus.respond": "handle orders.route",
    "bridge bus.respond": "bus.respond",
    "respond": "bridge bus.respond",
}
"""Steps, each with the one that has led to it."""
"""The steps of the click, each with its app where it has one."""


@pytest.mark.requirement("7.2", "7.3", "3.4")
async def test_one_click_is_one_trace_everywhere(electron_with: Starter, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with collector() as receiver:
        config = CONFIG.format(
            collector=receiver.url,
            blotter=(ROOT / "demo/blotter/index.html").as_uri(),
            router=f"{(PAGES / 'page.html').as_uri()}?router",
        )
        async with electron_with("demo.blotter", "test.router", data=data, config=config) as desk:
            router = await desk.window("?router")
            await router.until("window.deskbus && deskbus.state() === 'open'")
            await router.evaluate("deskbus.respond('orders.route', (order) => [order, 'routed'])")
            blotter = await desk.window("blotter/index.html")
            await blotter.until("window.deskbus && deskbus.state() === 'open'")
            await blotter.evaluate(BUTTON)

            await blotter.click("#route")
            await click_when_enabled(await desk.dialog(), ALLOW)
            answer = await blotter.until("window.routed")
            assert answer == [{"symbol": "EURUSD", "quantity": 7}, "routed"]

            sent = await receiver.until_spans(set(STEPS))
            async with developer_session(data, 10.0) as client:
                trace_id, spans, ids = await the_trace(client)
                records = await client.call(
                    "audit.query", {"correlationId": trace_id, "order": "oldest"}, result=dict
                )
                kept = await client.call("bus.query", {"pattern": "orders.route"}, result=dict)

    for name, app in STEPS.items():
        assert app is None or spans[name]["attributes"]["deskbus.app"] == app, name
    root = spans["bus.request orders.route"]
    assert root["parentId"] == ""
    for name, parent in CHILDREN.items():
        assert spans[name]["parentId"] == spans[parent]["spanId"], name
    # The page that answers goes on with what the message carried.
    assert spans["handle orders.route"]["parentId"] in ids
    assert spans["prompt"]["duration"] < spans["bus.request"]["duration"] <= root["duration"]
    # The collector has the same spans.
    assert {span.span_id.hex() for span in receiver.spans if span.trace_id.hex() == trace_id} >= ids
    assert attributes_of(sent["prompt"])["deskbus.outcome"] == "allow"
    # The audit log has the question and the answer, the disk the message, the log a line.
    found = [(record["type"], record["app"], record["actor"]) for record in records["records"]]
    assert ("permission.requested", "demo.blotter", "system") in found
    assert ("permission.granted", "demo.blotter", "person") in found
    (message,) = kept["messages"]
    assert message["_meta"]["traceparent"].split("-")[1] == trace_id
    lines = [json.loads(line) for line in (data / "logs/backend.log").read_text().split("\n")[:-1]]
    assert "permission.answered" in [
        line["event"] for line in lines if line.get("trace_id") == trace_id
    ]


async def the_trace(client: Client) -> tuple[str, dict[str, Any], set[str]]:
    """The one trace of the topic: its id, its spans by name, and the ids of them all."""
    page = await client.call("traces.query", {"topic": "orders.route"}, result=dict)
    (one,) = page["traces"]
    found = await client.call("traces.get", {"traceId": one["traceId"]}, result=dict)
    spans = {span["name"]: span for span in found["spans"]}
    assert STEPS.keys() <= spans.keys()
    return one["traceId"], spans, {each["spanId"] for each in found["spans"]}
