"""Administrators' acts while the audit log can't be written: none has an effect."""

import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, DeskbusError
from deskbus_protocol.methods import METHODS
from tests.integration.control.test_control_browser import ask
from tests.integration.reliability.full_disk import no_room
from tests.integration.shell import LIMIT_S, TestShell, answer_to, start_shell

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's"),
]

FEED, TICKER, GUEST, OTHER = "desk.feed", "desk.ticker", "desk.guest", "desk.other"
PASSWORD = "correct horse battery"
READ = {"app": TICKER, "permission": "messaging.read"}

CONFIG = f"""
development = true

[[apps]]
id = "{FEED}"
name = "Feed"
process = {{ entry = {sys.executable!r}, args = ["-c", "import time; time.sleep(3600)"] }}

[[apps]]
id = "{TICKER}"
name = "Ticker"
declares = [
    {{ permission = "messaging.read", scope = "#" }},
    {{ permission = "messaging.write", scope = "#" }},
]

[web]
"""

EXEMPT = {
    "session.hello": "the shell's own greeting: nothing is open before it, the log included",
    "session.mintTicket": "an app's session adds no right; it is told as auth.minted and auth.used",
    "session.shutdown": "the shell may end in any case, and a full disk is a reason to",
    "permissions.explain": "reads",
    "permissions.grantsOf": "reads",
    "policy.status": "reads",
    "apps.utilityOutput": "tells what a process wrote",
    "apps.utilityExited": "tells that a process has ended; app.crashed or app.terminated follows",
    "ui.dialogShown": "tells what the screen shows",
    "ui.windowClosed": "tells what the screen shows",
    "ui.windowProcesses": "tells which processes draw",
    "ui.windowGone": "tells that a process that draws has ended",
    "panels.open": "shows",
    "panels.register": "adds a page of the shell's own to what can be shown",
    "ui.panelQuery": "shows",
    "ui.panelClosed": "tells what the screen shows",
    "logging.get": "reads",
    "support.collect": "reads, and is needed most where the log fails",
    "control.open": "shows",
    "fdc3.chooseChannel": "shows a choice; joining a channel is the app's person's own",
    "web.policyFor": "reads",
    "ui.windowMoved": "tells where a window is",
    "ui.quitting": "tells that a person ends the shell",
    "web.reportViolation": "records itself what a page tried",
}
"""The methods of administrators that are not recorded, each with the reason."""

PICTURE = (
    "apps.list",
    "permissions.list",
    "policy.status",
    "vault.status",
    "logging.get",
    "bus.deadLetters",
    "panels.list",
    "session.list",
)
"""All that the acts below would change, as the backend tells it."""


def administrative() -> Iterator[str]:
    for row in METHODS.values():
        by_backend = row.handled_by == "backend"
        views = row.permission == "control.view"
        if by_backend and not views and (row.callers == "shell" or row.permission is not None):
            yield row.name


def test_every_act_of_an_administrator_is_recorded_or_says_why_not() -> None:
    recorded = {row.name for row in METHODS.values() if row.recorded is not None}
    assert recorded.isdisjoint(EXEMPT)
    assert sorted(recorded | EXEMPT.keys()) == sorted(administrative())


def test_only_what_takes_a_right_away_has_an_effect_without_a_record() -> None:
    regardless = [row.name for row in METHODS.values() if row.recorded == "regardless"]
    assert regardless == ["permissions.revoke", "web.forgetBrowsers"]


class Scene:
    """A backend with one of everything that an administrator may act on."""

    def __init__(self, shell: TestShell, folder: Path, ticker: Client) -> None:
        self.shell = shell
        self.folder = folder
        self.ticker = ticker
        self.link = 0
        self.panel: dict[str, Any] = {}

    async def call(self, method: str, **params: object) -> Any:
        return await self.shell.client.call(method, params, result=dict)

    async def prepare(self) -> None:
        self.shell.client.handle("ui.openPanel", self._drawn)
        await self.call("apps.launch", app=FEED)
        await self.call("apps.install", manifest=self.manifest(GUEST))
        await self.call("vault.changePassword", newPassword=PASSWORD)
        await self.call("vault.setSecret", name="broker-key", value="x")
        await self.call("vault.export", file=self.file("before.export"), password=PASSWORD)
        for _ in range(3):
            self.shell.person = self._dismiss
            await self.ticker.call(
                "permissions.request", {"permission": "messaging.write", "scope": "a.b"}
            )
        await self.call("session.save", name="before")
        await self.call("panels.open", name="permissions")
        [link] = (await self.call("links.list", app=TICKER))["links"]
        self.link = link["number"]

    async def _dismiss(self, asked: Any) -> dict[str, Any]:
        await self.shell.shown(asked)
        return answer_to(asked, "dismissed")

    async def _drawn(self, params: msgspec.Raw) -> object:
        self.panel = msgspec.json.decode(params)["descriptor"]
        return {}

    @property
    def embargo(self) -> str:
        rows = self.panel["content"]["rows"]
        [found] = [row["id"] for row in rows if "reset" in row["actions"]]
        return str(found)

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def manifest(self, app: str) -> str:
        folder = self.folder / app
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text("")
        process = {"kind": "python", "entry": "main.py"}
        content = {"id": app, "name": app, "version": "1", "process": process}
        (folder / "app.json").write_text(json.dumps(content))
        return str(folder / "app.json")

    async def picture(self) -> dict[str, Any]:
        found = {method: await self.call(method) for method in PICTURE}
        for one in found["apps.list"]["apps"]:
            one.pop("uptime", None)
        found["limits"] = (await self.call("links.list"))["limits"]
        found["files"] = sorted(str(path) for path in self.folder.glob("*.export*"))
        return found

    def acts(self) -> dict[str, dict[str, object]]:
        """Each act that is recorded, with parameters that would have an effect."""
        return {
            "bus.redrive": {"numbers": [1]},
            "bus.purge": {"numbers": []},
            "permissions.grant": {**READ, "scope": "prices.#"},
            "permissions.resetEmbargo": {"app": TICKER},
            "policy.reload": {},
            "vault.rotate": {},
            "vault.lock": {},
            "vault.changePassword": {"newPassword": PASSWORD},
            "vault.useKeychain": {},
            "vault.useSafeStorage": {},
            "vault.setSecret": {"name": "other-key", "value": "y"},
            "vault.deleteSecret": {"name": "broker-key"},
            "vault.export": {"file": self.file("after.export"), "password": PASSWORD},
            "vault.import": {"file": self.file("before.export"), "password": PASSWORD},
            "apps.terminate": {"app": FEED},
            "apps.restart": {"app": FEED},
            "apps.prepareForUpdate": {},
            "apps.install": {"manifest": self.manifest(OTHER)},
            "apps.uninstall": {"app": GUEST},
            "apps.setLimits": {"app": FEED, "limits": {"memory_mb": 256}},
            "panels.perform": {"name": "permissions", "action": "reset", "row": self.embargo},
            "ui.panelAction": {
                "panel": self.panel["panel"],
                "revision": self.panel["revision"],
                "action": "reset",
                "row": self.embargo,
            },
            "links.close": {"number": self.link},
            "links.setLimits": {"maxLinks": 77},
            "logging.set": {"level": "debug"},
            "chaos.cause": {"fault": "vault-locked"},
            "session.save": {"name": "after"},
            "session.restore": {"name": "before"},
            "session.remove": {"name": "before"},
            "control.publish": {"topic": "prices.a", "payload": 1},
            "federation.reconnect": {},
            "web.pair": {"app": TICKER},
            "web.pairOrigin": {"app": TICKER, "origin": "https://example.com"},
            "web.pairToAct": {},
        }


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("unrecorded")
    async with start_shell(folder / "data", config=CONFIG) as shell, shell.app(TICKER) as ticker:
        scene = Scene(shell, folder, ticker)
        await scene.prepare()
        yield scene


async def refusal(scene: Scene, method: str, params: Mapping[str, object]) -> str:
    try:
        await scene.call(method, **params)
    except DeskbusError as error:
        return error.kind.name if error.action else "an error without an action"
    return "done"


@pytest.mark.requirement("8.1")
@pytest.mark.requirement("3.4")
async def test_no_administrator_s_act_has_an_effect_when_the_log_can_not_be_written(
    scene: Scene,
) -> None:
    acts = scene.acts()
    recorded = {row.name for row in METHODS.values() if row.recorded in ("before", "itself")}
    alone = {"permissions.requestFor", "vault.unlock"}
    assert sorted(acts) == sorted(recorded - alone), "a new act needs parameters here"
    before = await scene.picture()
    async with no_room(scene.shell):
        outcomes = {name: await refusal(scene, name, params) for name, params in acts.items()}
        after = await scene.picture()
        # The app's link is open still.
        await scene.ticker.call("session.ping", {})
    assert outcomes == dict.fromkeys(acts, AUDIT_UNAVAILABLE.name)
    assert after == before
    await attempts_are_recorded(scene, {"logging.set", "apps.terminate", "bus.purge"})


async def attempts_are_recorded(scene: Scene, methods: set[str]) -> None:
    with anyio.fail_after(LIMIT_S):
        while True:
            records = (await scene.call("audit.query", types=["control.acted"]))["records"]
            failed = {
                one["details"]["method"]
                for one in records
                if str(one.get("reason", "")).startswith("failed: ")
            }
            if methods <= failed:
                return
            await anyio.sleep(0.05)


@pytest.mark.requirement("3.2")
async def test_a_person_s_yes_that_can_not_be_recorded_permits_nothing(scene: Scene) -> None:
    scene.shell.person = scene.shell.allow
    wanted = {**READ, "scope": "secrets.a", "client": "main"}
    async with no_room(scene.shell):
        told = await scene.call("permissions.requestFor", **wanted)
    assert told["state"] == "denied"
    found = await scene.ticker.call(
        "permissions.query", {"permission": "messaging.read", "scope": "secrets.a"}, result=dict
    )
    assert found["state"] != "granted"


@pytest.mark.requirement("3.2")
async def test_a_permission_is_taken_back_also_where_that_can_not_be_recorded(
    scene: Scene,
) -> None:
    grant = {**READ, "scope": "orders.#"}
    await scene.call("permissions.grant", **grant)
    await scene.ticker.call("bus.subscribe", {"pattern": "orders.a"})
    async with no_room(scene.shell):
        assert await refusal(scene, "permissions.revoke", grant) == AUDIT_UNAVAILABLE.name
    found = await scene.ticker.call(
        "permissions.query", {"permission": "messaging.read", "scope": "orders.a"}, result=dict
    )
    assert found["state"] == "prompt"


@pytest.mark.requirement("3.4")
async def test_a_vault_stays_locked_while_its_unlocking_can_not_be_recorded(scene: Scene) -> None:
    await scene.call("vault.lock")
    key = {"password": PASSWORD}
    async with no_room(scene.shell):
        assert await refusal(scene, "vault.unlock", key) == AUDIT_UNAVAILABLE.name
        assert (await scene.call("vault.status"))["status"]["state"] == "locked"
    await scene.call("vault.unlock", **key)


async def browsers(scene: Scene) -> int:
    sites = (await scene.call("web.sites"))["sites"]
    return sum(site["browsers"] for site in sites if site["app"] == CONTROL_APP)


@pytest.mark.requirement("5.4")
async def test_no_browser_enters_while_that_can_not_be_recorded_and_each_can_be_shut_out(
    scene: Scene,
) -> None:
    codes = [await scene.call("web.pair", app=CONTROL_APP) for _ in range(2)]
    first, last = (f"code={made['code']}" for made in codes)
    url = codes[0]["url"]
    assert (await ask(url, first, origin="null")).status == 200
    assert await browsers(scene) == 1
    async with no_room(scene.shell):
        assert (await ask(url, last, origin="null")).status == 503
        assert await browsers(scene) == 1
        assert await refusal(scene, "web.forgetBrowsers", {"app": CONTROL_APP}) == "done"
        assert await browsers(scene) == 0
    assert (await ask(url, last, origin="null")).status == 403


def test_the_picture_shows_what_the_acts_change() -> None:
    assert all(METHODS[name].recorded is None for name in PICTURE)
