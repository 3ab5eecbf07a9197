"""Audit records and alerts at a syslog server through TLS, and at a collector as OTLP logs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.errors import DeskbusError
from tests.integration.observability.otlp import attributes_of, collector
from tests.integration.observability.syslogserver import Syslogged, SyslogServer
from tests.integration.shell import LIMIT_S, TestShell, start_shell
from tests.support.configuration import app

APPS = app("desk.feed", declares=["messaging.write orders.#"])
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def syslog_to(server: SyslogServer, more: str = "") -> str:
    return (
        f'[[forward]]\nname = "siem"\nto = "{server.url}"\ntls_ca = "{server.ca}"\n'
        f'types = ["permission.*"]\n{more}\n{APPS}'
    )


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(LIMIT_S):
        while not condition():
            await anyio.sleep(0.05)


async def decide(shell: TestShell, scope: str) -> None:
    """A person denies; two records are made of it."""
    shell.person = shell.deny
    async with shell.app("desk.feed", client=f"c-{scope.rpartition('.')[2]}") as feed:
        params = {
            "permission": "messaging.write",
            "scope": scope,
            "_meta": {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        }
        await feed.call("permissions.request", params)


def seqs(messages: list[Syslogged]) -> list[int]:
    return [int(each.data["seq"]) for each in messages if "seq" in each.data]


async def status_of(shell: TestShell) -> Any:
    health = await shell.client.call("health.get", result=dict)
    return health["components"]["forward:siem"]


@pytest.mark.requirement("8.5")
async def test_records_reach_a_syslog_server_through_tls_and_none_that_is_not_wanted(
    tmp_path: Path,
) -> None:
    server = SyslogServer(tmp_path)
    async with server.running():
        async with start_shell(tmp_path / "data", config=syslog_to(server)) as shell:
            await decide(shell, "orders.new")
            await until(lambda: "permission.denied" in {each.msgid for each in server.messages})
            page = await shell.client.call(
                "audit.query", {"types": ["permission.*"], "order": "oldest"}, result=dict
            )
    told = [each for each in server.messages if each.msgid != "health.changed"]
    assert {each.msgid for each in told} == {"permission.requested", "permission.denied"}
    # The very records, with what is searched for beside them.
    assert [json.loads(each.text) for each in told] == page["records"]
    denied = told[-1]
    assert denied.priority == 13 * 8 + 4
    assert denied.data["app"] == "desk.feed"
    assert denied.data["traceId"] == TRACE


async def test_what_was_made_while_a_server_was_away_comes_after_a_restart_too(
    tmp_path: Path,
) -> None:
    server = SyslogServer(tmp_path)
    async with server.running():
        pass  # it has a port from here on, and is away
    data = tmp_path / "data"
    async with start_shell(data, config=syslog_to(server)) as shell:
        await decide(shell, "orders.one")
        with anyio.fail_after(LIMIT_S):
            while (await status_of(shell))["status"] != "degraded":
                await anyio.sleep(0.05)
        assert "no connection to the syslog server" in (await status_of(shell))["detail"]
        # It costs the bus nothing, and a call nothing.
        with anyio.fail_after(20):
            await shell.client.call("bus.stats")
    async with server.running(), start_shell(data, config=syslog_to(server)) as shell:
        await decide(shell, "orders.two")
        await until(lambda: len(set(seqs(server.messages))) >= 4)
        first = await shell.client.call("audit.query", {"types": ["permission.*"]}, result=dict)
    assert {record["seq"] for record in first["records"]} == set(seqs(server.messages))


async def test_a_connection_that_is_cut_loses_no_record(tmp_path: Path) -> None:
    server = SyslogServer(tmp_path)
    async with (
        server.running(),
        start_shell(tmp_path / "data", config=syslog_to(server)) as shell,
    ):
        await decide(shell, "orders.one")
        await until(lambda: len(seqs(server.messages)) >= 2)
        server.cut()  # before the last has settled
        await decide(shell, "orders.two")
        await until(lambda: len(set(seqs(server.messages))) >= 4)
        page = await shell.client.call("audit.query", {"types": ["permission.*"]}, result=dict)
    assert {record["seq"] for record in page["records"]} == set(seqs(server.messages))


async def test_a_server_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
    server, other = SyslogServer(tmp_path / "right"), SyslogServer(tmp_path / "wrong")
    async with server.running():
        config = syslog_to(server).replace(str(server.ca), str(other.ca))
        async with start_shell(tmp_path / "data", config=config) as shell:
            await decide(shell, "orders.one")
            with anyio.fail_after(LIMIT_S):
                while "TLS" not in (await status_of(shell)).get("detail", ""):
                    await anyio.sleep(0.05)
    assert server.messages == []


async def test_a_collector_gets_records_and_alerts_as_logs(tmp_path: Path) -> None:
    with collector() as receiver:
        config = f'[[forward]]\nname = "siem"\nto = "{receiver.url}"\nsince = "beginning"\n{APPS}'
        async with start_shell(tmp_path / "data", config=config) as shell:
            await decide(shell, "orders.new")
            await until(lambda: "permission.denied" in {each.event_name for each in receiver.logs})
            status = await status_of(shell)
    denied = next(each for each in receiver.logs if each.event_name == "permission.denied")
    assert denied.trace_id.hex() == TRACE
    assert denied.severity_text == "warning"
    assert attributes_of(denied)["deskbus.app"] == "desk.feed"
    assert json.loads(denied.body.string_value)["type"] == "permission.denied"
    assert attributes_of(receiver.resources[0])["service.name"] == "deskbus"
    # From the beginning, and each once.
    numbers = [attributes_of(each)["deskbus.audit.seq"] for each in receiver.logs
               if each.event_name != "health.changed"]  # fmt: skip
    assert numbers == list(range(len(numbers)))
    assert status["status"] == "ok"


async def test_a_pair_of_one_name_is_refused(tmp_path: Path) -> None:
    one = '[[forward]]\nname = "siem"\nto = "http://127.0.0.1:1"\n'
    with pytest.raises(DeskbusError):
        async with start_shell(tmp_path / "data", config=one + one):
            pass
    assert "two are named siem" in (tmp_path / "data" / "stderr.log").read_text()
