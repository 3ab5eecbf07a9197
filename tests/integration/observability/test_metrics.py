"""Metrics of a real backend, read by promtool and by a real Prometheus."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from deskbus.components.monitoring.metrics import SCRAPE_SOCKET
from deskbus.config import runtime_dir_for
from deskbus_protocol.errors import DeskbusError
from tests.conftest import absent
from tests.integration.observability.prometheus import forwarded, prometheus
from tests.integration.shell import TestShell, start_shell

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "ops/alerts.yml"
DASHBOARD = ROOT / "ops/grafana/dashboard.json"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

OF_THE_FEDERATION = {
    "deskbus_federation_connected",
    "deskbus_federation_connects_total",
    "deskbus_federation_lag_messages",
}

CONFIG = """
[metrics]
socket = true
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
"""


@pytest.fixture
async def shell(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG) as running:
        yield running


@pytest.fixture
def promtool() -> str:
    return shutil.which("promtool") or absent("promtool is missing: Debian's package prometheus")


async def work(shell: TestShell) -> None:
    """Messages by every mode, one that nobody may send, one with a trace, and a durable one."""
    async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
        async with (
            blotter.subscribe("prices.#") as prices,
            blotter.subscribe("orders.#", mode="acknowledged") as orders,
        ):
            for number in range(20):
                await feed.publish("prices.EURUSD", number)
                await prices.receive()
            meta = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
            await feed.publish("prices.EURUSD", 1, _meta=meta, confirm=True)
            await feed.publish("orders.new", 1, durable=True, confirm=True)
            await orders.receive()
        with pytest.raises(DeskbusError):
            await blotter.publish("prices.EURUSD", 1, confirm=True)


async def text_of(shell: TestShell, form: str = "prometheus") -> str:
    answer = await shell.client.call("metrics.get", {"format": form}, result=dict)
    return str(answer["text"])


@pytest.mark.requirement("7.1")
async def test_promtool_finds_nothing_to_say_about_the_metrics(
    shell: TestShell, promtool: str
) -> None:
    await work(shell)
    text = await text_of(shell)
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_no_topic_client_or_id_is_a_label(shell: TestShell) -> None:
    await work(shell)
    text = await text_of(shell)
    for private in ("EURUSD", "orders.new", shell.hello.epoch, "main"):
        assert private not in text


@pytest.mark.requirement("7.1", "7.4")
async def test_what_happens_on_the_bus_is_counted(shell: TestShell) -> None:
    await work(shell)
    answer = await shell.client.call("metrics.get", result=dict)
    found = {
        (family["name"], *sample["labels"].values()): sample
        for family in answer["metrics"]
        for sample in family["samples"]
    }
    assert found["deskbus_messages_received",]["value"] == 22
    assert found["deskbus_errors", "permission"]["value"] == 1
    assert found["deskbus_delivery_seconds", "live"]["value"] >= 20
    assert found["deskbus_delivery_seconds", "acknowledged"]["value"] >= 1
    assert 0 < found["deskbus_delivery_seconds", "live"]["quantiles"]["p99"] < 10
    assert found["deskbus_persistence_flush_seconds", "fsync"]["value"] >= 1
    assert found["deskbus_links", "stdio"]["value"] == 1


async def test_openmetrics_leads_from_a_latency_to_its_trace(shell: TestShell) -> None:
    await work(shell)
    text = await text_of(shell, "openmetrics")
    buckets = [line for line in text.split("\n") if TRACE in line]
    assert len(buckets) == 1
    assert buckets[0].startswith("deskbus_delivery_seconds_bucket")
    assert text.endswith("# EOF\n")


async def test_the_socket_answers_this_user_and_nothing_but_metrics(
    shell: TestShell, tmp_path: Path
) -> None:
    path = runtime_dir_for(tmp_path / "data") / SCRAPE_SOCKET
    assert path.stat().st_mode & 0o777 == 0o600

    async def ask(request: bytes) -> bytes:
        answer = b""
        async with await anyio.connect_unix(path) as stream:
            await stream.send(request)
            async for piece in stream:
                answer += piece
        return answer

    with anyio.fail_after(20):
        assert (await ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200")
        head = await ask(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert head.endswith(b"\r\n\r\n")
        for request, status in (
            (b"GET /secrets HTTP/1.1\r\n\r\n", b"404"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
            (b"nonsense\r\n\r\n", b"400"),
            (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        ):
            assert (await ask(request)).startswith(b"HTTP/1.1 " + status), request


@pytest.mark.requirement("7.4")
def test_every_alert_fires_for_its_cause_and_for_no_other(promtool: str) -> None:
    for check in ("check", "test"):
        files = RULES if check == "check" else RULES.with_suffix(".test.yml")
        done = subprocess.run(
            [promtool, check, "rules", str(files)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    tested = RULES.with_suffix(".test.yml").read_text()
    for line in RULES.read_text().split("\n"):
        if "- alert: " in line:
            name = line.partition("- alert: ")[2]
            assert f"{name} fires" in tested
            assert f"{name} stays silent" in tested


@pytest.mark.slow
@pytest.mark.requirement("7.1", "7.4")
async def test_a_real_prometheus_scrapes_answers_and_draws_the_dashboard(
    shell: TestShell, tmp_path: Path
) -> None:
    if not shutil.which("prometheus"):
        absent("Prometheus is missing: Debian's package prometheus")
    socket = runtime_dir_for(tmp_path / "data") / SCRAPE_SOCKET
    async with (
        forwarded(socket) as port,
        prometheus(tmp_path / "prometheus", port, RULES) as server,
    ):
        await server.until("up", 1)
        await work(shell)
        await server.until("deskbus_messages_received_total", 22)
        await server.until("sum(deskbus_delivery_seconds_count)", 21)
        p99 = await server.value(
            "histogram_quantile(0.99, sum by (le) (deskbus_delivery_seconds_bucket))"
        )
        assert p99 is not None
        assert 0 < p99 < 10
        found = await server.get("query_exemplars", query="deskbus_delivery_seconds_bucket",
                                 start="0", end="9999999999")  # fmt: skip
        labels = [each["labels"] for series in found for each in series["exemplars"]]
        assert {"trace_id": TRACE} in labels

        known = names_in(await text_of(shell)) | OF_THE_FEDERATION
        for expression in dashboard_queries():
            # A query for a metric that there is not is answered, too: with nothing.
            await server.query(expression)
            used = {word for word in words_of(expression) if word.startswith(("deskbus_", "proc"))}
            assert used, expression
            assert used <= known, expression
        for line in RULES.read_text().split("\n"):
            used = {word for word in words_of(line.partition("#")[0]) if "deskbus_" in word}
            assert used <= known, line
        groups = (await server.get("rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) == RULES.read_text().count("- alert: ")
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}


def names_in(text: str) -> set[str]:
    """The names of all series that there may be, those without a sample so far among them."""
    names = {line.split(" ")[2] for line in text.split("\n") if line.startswith("# HELP ")}
    return names | {f"{name}_{suffix}" for name in names for suffix in ("bucket", "count", "sum")}


def dashboard_queries() -> list[str]:
    board = json.loads(DASHBOARD.read_text())
    targets = [target for panel in board["panels"] for target in panel.get("targets", [])]
    return [target["expr"].replace("$instance", ".*") for target in targets]


def words_of(expression: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in expression).split())
