"""Why an app may or may not: the reason, its rule, and the audit record behind it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell
from tests.support.configuration import app

CONFIG = app(
    "desk.blotter",
    grants=["messaging.write orders.#"],
    declares=["messaging.read prices.#", "messaging.read secret.#", "messaging.read orders.#"],
)
POLICY = """# The desk's own rules.

[[rules]]
app = "desk.*"
permission = "messaging.read"
scope = "secret.#"
effect = "deny"
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
async def shell(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    data = tmp_path / "data"
    data.mkdir()
    (data / "policy.toml").write_text(POLICY)
    async with start_shell(data, config=CONFIG) as running:
        yield running


async def explain(shell: TestShell, permission: str, scope: str, app: str = "desk.blotter") -> Any:
    params = {"app": app, "permission": permission, "scope": scope}
    return await shell.client.call("permissions.explain", params, result=dict)


@pytest.mark.requirement("3.4")
async def test_a_persons_answer_is_told_with_its_record_and_its_trace(shell: TestShell) -> None:
    shell.person = shell.allow
    async with shell.app("desk.blotter") as blotter:
        params = {
            "permission": "messaging.read",
            "scope": "prices.#",
            "_meta": {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
        }
        await blotter.call("permissions.request", params)
        found = await explain(shell, "messaging.read", "prices.EURUSD")
    assert (found["state"], found["decidedBy"]) == ("granted", "person")
    assert found["rule"] == "messaging.read prices.#"
    assert found["holds"] == "session"
    record = found["record"]
    assert (record["type"], record["actor"]) == ("permission.granted", "person")
    assert record["traceId"] == TRACE
    read = await shell.client.call("audit.query", {"correlationId": TRACE}, result=dict)
    assert record["seq"] in [each["seq"] for each in read["records"]]


async def test_the_policys_rule_is_told_with_its_line(shell: TestShell, tmp_path: Path) -> None:
    with anyio.fail_after(LIMIT_S):
        # Records that nobody waits for are written a moment later.
        while "record" not in (found := await explain(shell, "messaging.read", "secret.plans")):
            await anyio.sleep(0.05)
    assert (found["state"], found["decidedBy"]) == ("denied", "policy")
    assert found["rule"] == "deny messaging.read secret.# to desk.*"
    assert found["place"] == f"{tmp_path / 'data' / 'policy.toml'}:3"
    assert found["record"]["type"] == "policy.changed"
    assert found["since"] == found["record"]["time"]


async def test_the_configurations_grant_is_told(shell: TestShell) -> None:
    found = await explain(shell, "messaging.write", "orders.new")
    assert (found["state"], found["decidedBy"]) == ("granted", "configuration")
    assert found["rule"] == "messaging.write orders.#"


@pytest.mark.parametrize(
    ("permission", "scope", "app", "state", "decided_by"),
    [
        ("messaging.read", "orders.new", "desk.blotter", "prompt", "manifest"),
        ("secrets", "own", "desk.blotter", "denied", "manifest"),
        ("messaging.read", "orders.new", "desk.nobody", "denied", "nothing"),
    ],
)
async def test_what_nobody_has_decided_is_told_as_that(
    shell: TestShell, permission: str, scope: str, app: str, state: str, decided_by: str
) -> None:
    found = await explain(shell, permission, scope, app)
    assert (found["state"], found["decidedBy"]) == (state, decided_by)
    assert "record" not in found


async def test_a_scope_that_is_none_and_a_caller_that_is_an_app_are_refused(
    shell: TestShell,
) -> None:
    with pytest.raises(DeskbusError) as bad:
        await explain(shell, "messaging.read", "a..b")
    assert bad.value.kind.name in {"invalid_params", "invalid_topic"}
    async with shell.app("desk.blotter") as blotter:
        params = {"app": "desk.blotter", "permission": "messaging.read", "scope": "a"}
        with pytest.raises(DeskbusError) as denied:
            await blotter.call("permissions.explain", params)
    assert denied.value.kind.name == "permission_denied"
