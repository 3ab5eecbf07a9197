"""Each event of the audit log is recorded by the action that it tells of, in a running backend."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

from deskbus_protocol.client import connect, open_session
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import AuditEvent
from tests.integration.shell import LIMIT_S, TestShell, start_shell

FEED, TICKER, CRASHER = "desk.feed", "desk.ticker", "desk.crasher"
GUEST, HANGER = "desk.guest", "desk.hanger"
PASSWORD = {"newPassword": "correct horse battery"}

CONFIG = f"""
[[apps]]
id = "{FEED}"
name = "Feed"
process = {{ entry = {sys.executable!r}, args = ["-c", "import time; time.sleep(3600)"] }}

[[apps]]
id = "{CRASHER}"
name = "Crasher"
process = {{ entry = {sys.executable!r}, args = ["-c", "raise SystemExit(3)"] }}

[[apps]]
id = "{HANGER}"
name = "Hanger"

[apps.process]
kind = "python"
entry = "hanger.py"
ready = "told"
heartbeat = {{ deadline_s = 1, kill_after_s = 60 }}

[[apps]]
id = "{TICKER}"
name = "Ticker"
declares = [{{ permission = "messaging.read", scope = "#" }}]
"""


HANGING = """
import time
import anyio
from deskbus_protocol.client import App, Message, run_as_app

async def main():
    async with run_as_app() as app:
        await app.ready()
        time.sleep(3600)

anyio.run(main)
"""


class Scene:
    def __init__(self, shell: TestShell, folder: Path) -> None:
        self.shell = shell
        self.folder = folder

    async def call(self, method: str, **params: object) -> Any:
        return await self.shell.client.call(method, params, result=dict)

    async def types(self) -> set[str]:
        page = await self.call("audit.query", limit=1000)
        return {record["type"] for record in page["records"]}

    async def refused(self, method: str, **params: object) -> None:
        with pytest.raises(DeskbusError):
            await self.call(method, **params)


async def sessions(scene: Scene) -> None:
    shell = scene.shell
    async with shell.app(TICKER):
        links = (await scene.call("links.list", app=TICKER))["links"]
        await scene.call("links.close", number=links[0]["number"])
    ticket = await shell.ticket(TICKER)
    async with connect(shell.hello.pipe) as link:
        with pytest.raises(DeskbusError):
            await open_session(link, "x" * 20, TICKER)
        opened = await open_session(link, ticket, TICKER)
    async with connect(shell.hello.pipe) as link:
        params = {"resumeToken": opened.resume_token, "protocolVersion": "1.0"}
        await link.call("session.resume", params)
    await scene.call("links.setLimits", maxLinks=1000)


async def permissions(scene: Scene) -> None:
    shell = scene.shell
    async with shell.app(TICKER) as ticker:
        wanted = {"permission": "messaging.read", "scope": "prices.#", "reason": "to show them"}
        shell.person = shell.allow
        await ticker.call("permissions.request", wanted)
        await scene.call(
            "permissions.revoke", app=TICKER, permission="messaging.read", scope="prices.#"
        )
        shell.person = shell.deny
        with pytest.raises(DeskbusError):
            await ticker.call("bus.subscribe", {"pattern": "orders.#"})
        with pytest.raises(DeskbusError):
            await ticker.call("bus.publish", {"topic": "orders.a", "payload": 1})
    (scene.folder / "policy.toml").write_text(
        '[[rules]]\npermission = "history"\neffect = "deny"\n'
    )
    await scene.call("policy.reload")


async def apps(scene: Scene) -> None:
    folder = scene.folder / "guest"
    folder.mkdir()
    (folder / "main.py").write_text("")
    manifest = folder / "app.json"
    manifest.write_text(
        json.dumps(
            {
                "id": GUEST,
                "name": "Guest",
                "version": "1",
                "process": {"kind": "python", "entry": "main.py"},
            }
        )
    )
    await scene.call("apps.install", manifest=str(manifest))
    await scene.call("apps.setLimits", app=GUEST, limits={"memory_mb": 256})
    await scene.call("apps.uninstall", app=GUEST)
    await scene.call("apps.launch", app=FEED)
    await scene.call("apps.terminate", app=FEED)
    await scene.call("apps.launch", app=CRASHER)
    (scene.folder / "hanger.py").write_text(HANGING)
    await scene.call("apps.launch", app=HANGER)


async def vault(scene: Scene) -> None:
    await scene.call("vault.changePassword", **PASSWORD)
    await scene.call("vault.setSecret", name="broker-key", value="x")
    await scene.call("vault.rotate")
    file = str(scene.folder / "vault.export")
    await scene.call("vault.export", file=file, password=PASSWORD["newPassword"])
    await scene.call("vault.import", file=file, password=PASSWORD["newPassword"])
    await scene.call("vault.lock")
    await scene.call("vault.unlock", password=PASSWORD["newPassword"])


async def audit(scene: Scene) -> None:
    await scene.call("audit.export")
    await scene.call("audit.verify")


Action = Callable[[Scene], Awaitable[None]]

LIVE: Mapping[Action, frozenset[str]] = {
    sessions: frozenset(
        {"auth.minted", "auth.used", "auth.refused", "auth.resumed", "link.closed"}
        | {"link.limits_changed"}
    ),
    permissions: frozenset(
        {"permission.requested", "permission.granted", "permission.revoked", "permission.denied"}
        | {"violation", "policy.changed"}
    ),
    apps: frozenset(
        {"app.installed", "app.limits_changed", "app.uninstalled", "app.launched"}
        | {"app.terminated", "app.crashed", "app.restarted", "app.ready", "app.unresponsive"}
    ),
    vault: frozenset(
        {"vault.unlocked", "vault.locked", "vault.rotated", "vault.exported", "vault.imported"}
        | {"vault.secret_changed"}
    ),
    audit: frozenset({"audit.exported", "audit.verified", "config.changed"}),
}
"""The actions, and what is recorded because of each."""

ELSEWHERE = {
    "app.limited": "tests/integration/test_processes_left.py",
    "control.acted": "tests/integration/test_control_centre.py",
    "vault.record_refused": "tests/integration/test_vault.py",
    "web.origin": "tests/security/test_web_attacks.py",
    "web.csrf": "tests/web/test_pairing.py",
    "web.csp": "tests/security/test_web_attacks.py",
}
"""The live tests of what needs more than such a backend."""

OF_PARTS = {
    "permission.expired": "tests/unit/security/test_service.py",
    "permission.embargoed": "tests/unit/security/test_service.py",
    "permission.embargo_reset": "tests/unit/security/test_service.py",
    "audit.pruned": "tests/unit/audit/store/test_retention.py",
    "audit.dropped": "tests/unit/audit/test_logger.py",
    "audit.set_aside": "tests/unit/audit/test_logger.py",
    "fdc3.delivered": "tests/unit/commands/test_fdc3.py",
}
"""Events of long times, of faults, and of a person who dismisses again and again: tests of the
parts look for them.
"""

CLASSES = {str(kind.__struct_config__.tag): kind.__name__ for kind in get_args(AuditEvent)}


def test_every_event_of_the_catalogue_is_in_one_of_the_tables() -> None:
    live = [kind for kinds in LIVE.values() for kind in kinds]
    assert sorted([*live, *ELSEWHERE, *OF_PARTS]) == sorted(CLASSES)


@pytest.mark.parametrize(("kind", "where"), [*ELSEWHERE.items(), *OF_PARTS.items()])
def test_a_test_elsewhere_looks_for_the_event(kind: str, where: str) -> None:
    text = (Path(__file__).resolve().parents[2] / where).read_text("utf-8")
    assert f'"{kind}"' in text or CLASSES[kind] in text


@pytest.mark.slow
@pytest.mark.requirement("8.1")
@pytest.mark.requirement("8.2")
@pytest.mark.requirement("8.3")
@pytest.mark.parametrize("action", LIVE, ids=lambda action: action.__name__)
async def test_an_action_is_recorded(tmp_path: Path, action: Action) -> None:
    async with start_shell(tmp_path, config=CONFIG, files=["hanger.py"]) as shell:
        scene = Scene(shell, tmp_path)
        before = await scene.types() - {"config.changed"}
        await action(scene)
        with anyio.fail_after(LIMIT_S):
            while missing := LIVE[action] - (await scene.types() - before):
                await anyio.sleep(0.05)
        assert not missing
