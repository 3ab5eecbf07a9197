"""Each event of the audit log is recorded by the action that it tells of, in a running backend."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

from deskbus.audit.store.audit_folder import KEYS
from deskbus.config import AUDIT_FOLDER
from deskbus_protocol.client import connect, open_session
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import AuditEvent
from deskbus_protocol.ui import ShowDialogParams
from tests.integration.reliability.full_disk import no_room
from tests.integration.shell import LIMIT_S, TestShell, answer_to, start_shell

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
        moment = {"app": TICKER, "permission": "messaging.read", "scope": "news.#"}
        await scene.call("permissions.grant", **moment, expiresIn=1)
        shell.person = dismissing(shell)
        for _ in range(3):
            await ticker.call("permissions.request", {**wanted, "scope": "trades.#"})
        await scene.call("permissions.resetEmbargo", app=TICKER)
    (scene.folder / "policy.toml").write_text(
        '[[rules]]\npermission = "history"\neffect = "deny"\n'
    )
    await scene.call("policy.reload")


def dismissing(shell: TestShell) -> Callable[[ShowDialogParams], Awaitable[dict[str, Any]]]:
    """A person who closes each dialog without an answer."""

    async def dismiss(asked: ShowDialogParams) -> dict[str, Any]:
        await shell.shown(asked)
        return answer_to(asked, "dismissed")

    return dismiss


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
        | {"permission.expired", "permission.embargoed", "permission.embargo_reset"}
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
    "fdc3.delivered": "tests/integration/desktop/test_fdc3.py",
    "app.limited": "tests/integration/processes/test_processes_left.py",
    "control.acted": "tests/integration/control/test_control_centre.py",
    "control.entered": "tests/web/test_control_access.py",
    "control.stepped_up": "tests/web/test_control_access.py",
    "control.refused": "tests/web/test_control_access.py",
    "control.left": "tests/web/test_control_access.py",
    "vault.record_refused": "tests/integration/vault/test_vault.py",
    "web.origin": "tests/security/test_web_attacks.py",
    "web.csrf": "tests/web/test_pairing.py",
    "web.asked": "tests/web/test_pairing.py",
    "web.entered": "tests/web/test_pairing.py",
    "web.refused": "tests/web/test_pairing.py",
    "web.left": "tests/web/test_pairing.py",
    "web.csp": "tests/security/test_web_attacks.py",
}
"""The live tests, with running backends too, of what needs more than such a one."""

CLASSES = {str(kind.__struct_config__.tag): kind.__name__ for kind in get_args(AuditEvent)}


def test_every_event_of_the_catalogue_has_a_live_test() -> None:
    live = [kind for kinds in LIVE.values() for kind in kinds]
    assert sorted([*live, *OF_THE_LOG, *ELSEWHERE]) == sorted(CLASSES)


@pytest.mark.parametrize(("kind", "where"), ELSEWHERE.items())
def test_a_test_elsewhere_looks_for_the_event(kind: str, where: str) -> None:
    text = (Path(__file__).resolve().parents[3] / where).read_text("utf-8")
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


async def told(shell: TestShell, kind: str) -> dict[str, Any]:
    """The newest record of `kind`, once there is one."""
    with anyio.fail_after(LIMIT_S):
        while True:
            page = await shell.client.call("audit.query", {"types": [kind]}, result=dict)
            for record in page["records"]:
                return dict(record["details"])
            await anyio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.requirement("8.4")
@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
async def test_events_beyond_what_waits_for_the_disk_are_told_by_their_number(
    tmp_path: Path,
) -> None:
    command = (sys.executable, "-m", "tests.integration.programs.forgetful_audit")
    async with start_shell(tmp_path, command=command) as shell:
        async with no_room(shell):
            await shell.ticket(TICKER, "first")
            with anyio.fail_after(LIMIT_S):
                while (await audit_health(shell))["status"] == "ok":
                    await anyio.sleep(0.05)
            for number in range(50):
                await shell.ticket(TICKER, f"client-{number}")
        # Twenty wait, those that were with the disk when it failed among them.
        assert 30 <= (await told(shell, "audit.dropped"))["count"] <= 50


async def audit_health(shell: TestShell) -> dict[str, Any]:
    health = await shell.client.call("health.get", result=dict)
    return dict(health["components"]["audit"])


@pytest.mark.slow
@pytest.mark.requirement("8.4")
async def test_what_retention_removes_is_told(tmp_path: Path) -> None:
    config = "[audit]\nfile_bytes = 100_000\nmax_age_days = 1e-9\n"
    async with start_shell(tmp_path, config=config) as shell:
        for number in range(2000):
            await shell.ticket(TICKER, f"client-{number}")
        pruned = await told(shell, "audit.pruned")
    assert pruned["files"] >= 1
    assert pruned["through"] > 100


@pytest.mark.slow
@pytest.mark.requirement("8.4")
async def test_a_log_whose_keys_are_damaged_is_set_aside_and_told(tmp_path: Path) -> None:
    async with start_shell(tmp_path) as shell:
        await told(shell, "config.changed")
    (tmp_path / AUDIT_FOLDER / KEYS).write_bytes(b"damaged")
    async with start_shell(tmp_path) as shell:
        aside = await told(shell, "audit.set_aside")
    assert (tmp_path / AUDIT_FOLDER / aside["folder"]).is_dir()


OF_THE_LOG = {
    "audit.dropped": test_events_beyond_what_waits_for_the_disk_are_told_by_their_number,
    "audit.pruned": test_what_retention_removes_is_told,
    "audit.set_aside": test_a_log_whose_keys_are_damaged_is_set_aside_and_told,
}
"""The live tests of what befalls the log itself."""
