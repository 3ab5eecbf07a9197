"""The audit log of a running backend: what it records by itself, and who may read it."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from msgspec import Raw

from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.config import AUDIT_FOLDER
from deskbus_protocol.client import Client, connect, open_session
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell
from tests.support.configuration import app, configuration

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"

CONFIG = configuration(
    app("desk.feed", grants=["messaging.write prices.#"]),
    app("desk.ticker", declares=["messaging.read #"]),
    app("desk.auditor", grants=["audit all"]),
)


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[TestShell]:
    async with start_shell(data, config=CONFIG) as shell:
        yield shell


async def query(client: Client, **wanted: Any) -> list[dict[str, Any]]:
    page = await client.call(
        "audit.query", {"order": "oldest", "limit": 1000, **wanted}, result=dict
    )
    found: list[dict[str, Any]] = page["records"]
    return found


async def recorded(client: Client, count: int = 1, **wanted: Any) -> list[dict[str, Any]]:
    """Waits for what is on disk within a second."""
    with anyio.fail_after(LIMIT_S):
        while len(found := await query(client, **wanted)) < count:
            await anyio.sleep(0.05)
    return found


@pytest.mark.requirement("8.3")
async def test_tickets_and_sessions_are_recorded(tmp_path: Path) -> None:
    async with running(tmp_path) as shell:
        async with shell.app("desk.feed"):
            pass
        async with connect(shell.hello.pipe) as stranger:
            for _ in range(5):
                with pytest.raises(DeskbusError):
                    await open_session(stranger, "x" * 20, "desk.feed")
            with pytest.raises(DeskbusError):
                await stranger.call(
                    "session.resume", {"resumeToken": "y" * 20, "protocolVersion": "1.0"}
                )
        found = await recorded(shell.client, 4, types=["auth.*"])
        assert [record["type"] for record in found] == [
            "auth.minted", "auth.used", "auth.refused", "auth.refused",
        ]  # fmt: skip
        assert found[0]["actor"] == "person"
        assert {record["app"] for record in found} == {"desk.feed", ""}
        assert found[2]["decision"] == "denied"


@pytest.mark.requirement("8.3")
async def test_a_changed_configuration_is_recorded_at_the_next_start(tmp_path: Path) -> None:
    for config, count in ((CONFIG, 1), (CONFIG, 1), (CONFIG.replace("Feed", "Food"), 2)):
        async with start_shell(tmp_path, config=config) as shell:
            found = await recorded(shell.client, count, types=["config.changed"])
            assert len(found) == count
    assert found[0]["details"]["after"] == found[1]["details"]["before"]
    assert found[1]["details"]["after"] != found[1]["details"]["before"]


@pytest.mark.requirement("3.4")
@pytest.mark.requirement("8.2")
async def test_a_refused_message_is_on_disk_before_its_sender_knows_and_has_its_trace(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as shell, shell.app("desk.feed") as feed:
        with pytest.raises(DeskbusError) as refused:
            await feed.call(
                "bus.publish",
                {
                    "topic": "orders.new",
                    "payload": {"secret": "not to be recorded"},
                    "correlationId": "c-77",
                    "_meta": {"traceparent": PARENT},
                },
            )
        assert refused.value.kind.name == "permission_denied"
        for key in ("c-77", TRACE):
            (record,) = await query(shell.client, correlationId=key)
            assert (record["type"], record["app"], record["client"]) == (
                "violation", "desk.feed", "main",
            )  # fmt: skip
            assert record["details"] == {
                "kind": "acl", "method": "bus.publish", "target": "orders.new",
            }  # fmt: skip
    assert b"not to be recorded" not in _content(tmp_path)


@pytest.mark.requirement("8.2")
async def test_a_call_beyond_one_s_role_is_recorded_without_its_parameters(tmp_path: Path) -> None:
    async with running(tmp_path) as shell, shell.app("desk.feed") as feed:
        for _ in range(50):
            with pytest.raises(DeskbusError):
                await feed.call(
                    "vault.unlock",
                    {"password": "not to be recorded", "_meta": {"traceparent": PARENT}},
                )
        (record,) = await query(shell.client, types=["violation"])
        assert (record["details"]["kind"], record["traceId"]) == ("role", TRACE)
        assert record["details"]["method"] == "vault.unlock"
    content = _content(tmp_path)
    assert b"not to be recorded" not in content
    assert b'"count":49' in content, "what was counted is told at the end"


@pytest.mark.requirement("8.1")
async def test_a_wish_and_what_a_person_decides_are_recorded_before_the_app_knows(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as shell, shell.app("desk.ticker") as ticker:
        wish = {"permission": "messaging.read", "scope": "prices.#", "reason": "for the chart"}
        shell.person = shell.allow
        meta = {"_meta": {"traceparent": PARENT}}
        await ticker.call("permissions.request", {**wish, **meta})
        granted = await query(shell.client, types=["permission.*"], apps=["desk.ticker"])
        assert [record["type"] for record in granted] == [
            "permission.requested", "permission.granted",
        ]  # fmt: skip
        assert (granted[1]["actor"], granted[1]["decision"]) == ("person", "allowed")
        # One trace id leads from the call over the dialog to what was decided.
        assert {record["traceId"] for record in granted} == {TRACE}
        assert len({record["correlationId"] for record in granted}) == 1
        prompts = {record["details"]["prompt"] for record in granted}
        assert prompts == {shell.dialogs[0].dialog}
        shell.person = shell.deny
        with pytest.raises(DeskbusError) as refused:
            await ticker.call("bus.subscribe", {"pattern": "orders.#", **meta})
        of_that_call = await query(shell.client, correlationId=refused.value.correlation_id)
        assert [record["type"] for record in of_that_call] == [
            "permission.requested", "permission.denied", "violation",
        ]  # fmt: skip
        assert {record["traceId"] for record in of_that_call} == {TRACE}
        await ticker.call("permissions.request", {**wish, "scope": "deals.#"})
        own = await query(shell.client, types=["permission.denied"])
        assert len(own[1]["traceId"]) == 32, "one is made for a call without"
        denied = await query(shell.client, types=["permission.denied"])
        assert (denied[0]["app"], denied[0]["details"]["scope"]) == ("desk.ticker", "orders.#")


@pytest.mark.requirement("3.5")
@pytest.mark.parametrize("method", ["query", "export", "stats", "verify", "head", "tail"])
async def test_only_the_shell_and_granted_administrators_read_the_log(
    tmp_path: Path, method: str
) -> None:
    async with (
        running(tmp_path) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.auditor") as auditor,
    ):
        with pytest.raises(DeskbusError) as refused:
            await feed.call(f"audit.{method}", {})
        assert refused.value.kind.name == "permission_denied"
        assert shell.dialogs == []
        await auditor.call(f"audit.{method}", {})
        await shell.client.call(f"audit.{method}", {})
        (record,) = await query(shell.client, types=["violation"])
        assert record["details"]["method"] == f"audit.{method}"


@pytest.mark.requirement("3.5")
async def test_an_administrator_pages_filters_verifies_and_exports(tmp_path: Path) -> None:
    async with running(tmp_path) as shell:
        for number in range(30):
            await shell.ticket("desk.feed", f"window-{number}")
        await recorded(shell.client, 30, types=["auth.minted"])
        first = await shell.client.call(
            "audit.query", {"limit": 20, "types": ["auth.*"]}, result=dict
        )
        rest = await shell.client.call(
            "audit.query",
            {"limit": 20, "types": ["auth.*"], "cursor": first["cursor"]},
            result=dict,
        )
        clients = [record["client"] for record in (*first["records"], *rest["records"])]
        assert clients == [f"window-{number}" for number in range(29, -1, -1)]
        assert "cursor" not in rest
        progress: list[Raw] = []
        shell.client.observe("$/progress", progress.append)
        verdict = await shell.client.call("audit.verify", {}, result=dict)
        assert (verdict["verdict"], verdict["records"] >= 31) == ("UNANCHORED", True)
        assert "no keychain" in verdict["reason"]
        assert b"100 %" in bytes(progress[-1])
        exported = await shell.client.call(
            "audit.export",
            {"format": "csv", "apps": ["desk.feed"], "types": ["auth.*"]},
            result=dict,
        )
        assert exported["records"] == 30
        stats = await shell.client.call("audit.stats", {}, result=dict)
        assert stats["byType"]["auth.minted"] == 30
        assert stats["byType"]["audit.verified"] == stats["byType"]["audit.exported"] == 1
        head = await shell.client.call("audit.head", {}, result=dict)
    place = tmp_path / "export.csv"
    place.write_bytes(exported["content"].encode())
    place.with_name("export.csv.proof").write_text(exported["proof"])
    (tmp_path / "head").write_text(head["checkpoint"])
    code, answer, _ = command("check", str(place), "--key", head["key"], data=tmp_path)
    assert (code, json.loads(answer)["records"]) == (0, 30)
    code, answer, _ = command("verify", "--against", str(tmp_path / "head"), data=tmp_path)
    assert (code, json.loads(answer)["verdict"]) == (0, "OK")


async def test_verification_takes_a_checkpoint_that_was_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as shell:
        await recorded(shell.client, 1)
        head = await shell.client.call("audit.head", {}, result=dict)
        kept = head["checkpoint"]
        verdict = await shell.client.call("audit.verify", {"against": [kept]}, result=dict)
        assert verdict["verdict"] == "OK"
        lines = kept.split("\n")
        foreign = "\n".join([lines[0], lines[1], f"{'A' * 43}=", *lines[3:]])
        verdict = await shell.client.call("audit.verify", {"against": [foreign]}, result=dict)
        assert verdict["verdict"] == "TAMPERED"
        with pytest.raises(DeskbusError) as refused:
            await shell.client.call("audit.verify", {"against": ["nonsense"]})
        assert refused.value.kind.name == "invalid_params"


async def test_a_tail_tells_of_new_records_until_it_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as shell, shell.app("desk.auditor") as auditor:
        told: list[dict[str, Any]] = []
        come = anyio.Event()

        def appended(params: Raw) -> None:
            told.extend(msgspec.json.decode(params)["records"])
            come.set()

        await recorded(shell.client, 1, types=["auth.minted"])
        auditor.observe("audit.appended", appended)
        await auditor.call("audit.tail", {"types": ["auth.minted"]})
        await shell.ticket("desk.feed", "one")
        with anyio.fail_after(LIMIT_S):
            await come.wait()
        await auditor.call("audit.tail", {"enabled": False})
        await shell.ticket("desk.feed", "two")
        await recorded(shell.client, 3, types=["auth.minted"])
        assert [record["client"] for record in told] == ["one"]


@pytest.mark.requirement("8.4")
async def test_tampering_behind_a_running_backend_is_found_and_the_health_tells_of_the_log(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as shell:
        await recorded(shell.client, 1)
    async with running(tmp_path) as shell:
        await recorded(shell.client, 1)
        closed = tmp_path / AUDIT_FOLDER / "audit-00000001.jsonl.gz"
        with anyio.fail_after(LIMIT_S):
            while not closed.exists():
                await anyio.sleep(0.02)
        closed.chmod(0o600)
        content = bytearray(closed.read_bytes())
        content[len(content) // 2] ^= 1
        closed.write_bytes(content)
        verdict = await shell.client.call("audit.verify", {}, result=dict)
        assert (verdict["verdict"], verdict["file"]) == ("TAMPERED", closed.name)
        health = await shell.client.call("health.get", {}, result=dict)
        assert "records, keys in a file" in health["components"]["audit"]["detail"]


async def test_a_killed_backend_leaves_a_log_that_the_next_one_goes_on_with(tmp_path: Path) -> None:
    async with running(tmp_path) as shell:
        await shell.ticket("desk.feed", "one")
        await recorded(shell.client, 1, types=["auth.minted"])
        shell.process.kill()
        await shell.process.wait()
    async with running(tmp_path) as shell:
        (record,) = await recorded(shell.client, 1, types=["auth.minted"])
        assert record["client"] == "one"
        verdict = await shell.client.call("audit.verify", {}, result=dict)
        assert verdict["verdict"] == "UNANCHORED", "there is no keychain"
    folder = tmp_path / AUDIT_FOLDER
    assert Verifier(folder, own_key(folder)).run().verdict == "OK"


def _content(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (data / AUDIT_FOLDER).glob("audit-*.jsonl"))


def command(*words: str, data: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "deskbus", "audit", *words, "--data-dir", str(data)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.requirement("8.1")
async def test_the_log_tells_what_the_configuration_grants_from_when_until_when(
    tmp_path: Path,
) -> None:
    wanted = {"actors": ["policy"], "types": ["permission.*"]}
    for _ in range(2):
        async with start_shell(tmp_path, config=CONFIG) as shell:
            found = await recorded(shell.client, 2, **wanted)
    assert sorted((one["type"], one["app"]) for one in found) == [
        ("permission.granted", "desk.auditor"),
        ("permission.granted", "desk.feed"),
    ]
    less = CONFIG.replace('permission = "audit"', 'permission = "history"').replace("all", "#")
    async with start_shell(tmp_path, config=less) as shell:
        found = await recorded(shell.client, 4, **wanted)
    assert [(one["type"], one["app"]) for one in found[2:]] == [
        ("permission.revoked", "desk.auditor"),
        ("permission.granted", "desk.auditor"),
    ]
