"""Ways around consent, each tried on the real backend as a hostile app would."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client import Client, connect_with_ticket
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.ui import ShowDialogParams
from tests.integration.shell import LIMIT_S, TestShell, answer_to, start_shell

pytestmark = pytest.mark.requirement("3.2")

PRICES = {"permission": "messaging.read", "scope": "prices.#"}


def config(folder: Path) -> str:
    return f"""
[[apps]]
id = "desk.ticker"
name = "Ticker"
declares = [
    {{ permission = "messaging.read", scope = "prices.#" }},
    {{ permission = "messaging.write", scope = "orders.#" }},
    {{ permission = "filesystem.read", scope = "{folder}/open" }},
    {{ permission = "filesystem.write", scope = "{folder}/open" }},
]

[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{{ permission = "messaging.write", scope = "#" }}]

[consent]
timeout_s = {LIMIT_S}
"""


def made(folder: Path) -> Path:
    """Has a part that the app may ask for, and one beside it."""
    for name in ("open", "open-too", "private"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)
    links = {"open/link": "private", "link": "private", "to-data": "data", "odd": "e\u0301"}
    for name, target in links.items():
        (folder / name).symlink_to(folder / target)
    return folder.resolve()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path)


@pytest.fixture
async def shell(folder: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(folder / "data", config=config(folder)) as started:
        yield started


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("bypass"))


@pytest.fixture(scope="module")
async def shared_shell(shared_folder: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    """For tests that leave its permissions as they were."""
    async with start_shell(shared_folder / "data", config=config(shared_folder)) as started:
        yield started


async def refused(client: Client, method: str, params: object) -> str:
    with pytest.raises(DeskbusError) as error:
        await client.call(method, params)
    return error.value.kind.name


async def ask(client: Client, **changes: object) -> str:
    answer = await client.call("permissions.request", {**PRICES, **changes}, result=dict)
    return str(answer["state"])


async def query(client: Client, **wish: object) -> str:
    answer = await client.call("permissions.query", {**PRICES, **wish}, result=dict)
    return str(answer["state"])


def always(shell: TestShell, remember: str = "session") -> Any:
    async def person(asked: ShowDialogParams) -> dict[str, Any]:
        return {**await shell.allow(asked), "remember": remember}

    return person


async def test_spoofed_sender(shell: TestShell) -> None:
    shell.person = always(shell)
    wish = {**PRICES, "app": "desk.feed", "client": "main"}
    async with shell.app("desk.ticker", honest=False) as ticker:
        for spoof in ({"sender": {"app": "desk.feed", "client": "main"}}, {"app": "desk.feed"}):
            assert await refused(ticker, "permissions.request", {**PRICES, **spoof}) == (
                "invalid_params"
            )
            message = {"topic": "orders.new", "payload": 1, **spoof}
            assert await refused(ticker, "bus.publish", message) == "invalid_params"
        # To ask in another's name is the shell's alone.
        assert await refused(ticker, "permissions.requestFor", wish) == "permission_denied"
    assert shell.dialogs == []


async def test_ticket_of_another_app(shell: TestShell) -> None:
    ticket = await shell.ticket("desk.ticker")
    with pytest.raises(DeskbusError) as error:
        async with connect_with_ticket(shell.hello.pipe, ticket, "desk.feed"):
            pass
    assert error.value.kind.name == "ticket_refused"
    # It is spent with that, also for the app that it was for.
    with pytest.raises(DeskbusError):
        async with connect_with_ticket(shell.hello.pipe, ticket, "desk.ticker"):
            pass


@pytest.mark.parametrize(
    "path",
    [
        "{folder}/open/../private/file",
        "{folder}/open/./../open-too/file",
        "{folder}/open-too/file",
        "{folder}/open/link/file",
        "{folder}/open/../OPEN/file",
        "{folder}/private/file",
        "{folder}/data/deskbus.toml",
        "/etc/passwd",
        "~/.profile",
    ],
)
async def test_path_tricks(shared_shell: TestShell, shared_folder: Path, path: str) -> None:
    shell, folder = shared_shell, shared_folder
    shell.person = always(shell)
    async with shell.app("desk.ticker") as ticker:
        wish = {"permission": "filesystem.write", "scope": f"{folder}/open"}
        assert await ask(ticker, **wish) == "granted"
        asked = len(shell.dialogs)
        read = await ticker.call("files.read", {"path": f"{folder}/open/file"}, result=dict)
        assert read["content"] == "open"
        path = path.format(folder=folder)
        assert await refused(ticker, "files.read", {"path": path}) == "permission_denied"
        change = {"path": path, "content": "changed", "mode": "replace"}
        assert await refused(ticker, "files.write", change) == "permission_denied"
        assert len(shell.dialogs) == asked
    assert (folder / "private/file").read_text() == "private"
    assert (folder / "open-too/file").read_text() == "open-too"


@pytest.mark.parametrize(
    "path",
    ["relative/file", "{folder}/open/e\u0301", "{folder}/open/a\u202etxt", "{folder}\0/open"],
)
async def test_path_that_is_none(shared_shell: TestShell, shared_folder: Path, path: str) -> None:
    asked = len(shared_shell.dialogs)
    async with shared_shell.app("desk.ticker") as ticker:
        params = {"path": path.format(folder=shared_folder)}
        assert await refused(ticker, "files.read", params) == "invalid_params"
    assert len(shared_shell.dialogs) == asked


async def test_link_put_in_after_the_grant(shell: TestShell, folder: Path) -> None:
    shell.person = always(shell)
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker, permission="filesystem.read", scope=f"{folder}/open") == "granted"
        (folder / "open/file").unlink()
        (folder / "open/file").symlink_to(folder / "private/file")
        params = {"path": f"{folder}/open/file"}
        assert await refused(ticker, "files.read", params) == "permission_denied"
        # The whole folder, exchanged for another one.
        (folder / "open").rename(folder / "was-open")
        (folder / "open").symlink_to(folder / "private")
        assert await refused(ticker, "files.read", params) == "permission_denied"


async def test_scope_widening(shell: TestShell) -> None:
    shell.person = always(shell)
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker, scope="prices.EURUSD") == "granted"
        for wider in ("prices.*", "prices.#", "*.EURUSD"):
            assert await query(ticker, scope=wider) != "granted"
        shell.person = shell.deny
        assert await refused(ticker, "bus.subscribe", {"pattern": "prices.#"}) == (
            "permission_denied"
        )
        assert await refused(ticker, "bus.history", {"topic": "prices.EURUSD"}) == (
            "permission_denied"
        )


async def test_answer_from_an_app_link(shell: TestShell) -> None:
    shown = anyio.Event()

    async def person(asked: ShowDialogParams) -> dict[str, Any]:
        shown.set()
        await shell.shown(asked)
        await anyio.sleep_forever()
        raise AssertionError

    shell.person = person
    async with shell.app("desk.ticker", honest=False) as ticker, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, ticker)
        await shown.wait()
        dialog = shell.dialogs[0]
        assert await refused(ticker, "ui.dialogShown", {"dialog": dialog.dialog}) == (
            "permission_denied"
        )
        answer = {"dialog": dialog.dialog, "nonce": dialog.nonce, "choice": "allow"}
        assert await refused(ticker, "ui.showDialog", answer) == "method_not_found"
        assert await refused(ticker, "permissions.grant", {"app": "desk.ticker", **PRICES}) == (
            "permission_denied"
        )
        # A response that nobody asked this link for.
        await ticker.notify("$/progress", {"id": 1, "text": "allow"})
        assert await query(ticker) == "prompt"
        tasks.cancel_scope.cancel()


async def test_old_prompt(shell: TestShell) -> None:
    """An answer that was right for an earlier prompt is replayed for the next."""
    kept: list[dict[str, Any]] = []

    async def first(asked: ShowDialogParams) -> dict[str, Any]:
        await shell.shown(asked)
        kept.append(answer_to(asked, "allow"))
        return answer_to(asked, "deny")

    async def second(asked: ShowDialogParams) -> dict[str, Any]:
        await shell.shown(asked)
        await anyio.sleep(0.55)
        return kept[0]

    async with shell.app("desk.ticker") as ticker:
        shell.person = first
        assert await ask(ticker) == "denied"
        shell.person = second
        assert await ask(ticker) == "denied"
        assert await query(ticker) == "prompt"


async def test_early_click(shell: TestShell) -> None:
    async def person(asked: ShowDialogParams) -> dict[str, Any]:
        return await shell.allow(asked, after_ms=0)

    shell.person = person
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker) == "denied"


async def test_early_click_after_a_change_of_the_dialog(shell: TestShell) -> None:
    async def person(asked: ShowDialogParams) -> dict[str, Any]:
        await shell.shown(asked)
        await anyio.sleep(0.55)
        await shell.shown(asked)
        return answer_to(asked, "allow")

    shell.person = person
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker) == "denied"


async def test_choice_that_was_not_offered(shell: TestShell, folder: Path) -> None:
    """Where a person is to be asked each time, an answer for good is none."""
    rule = '[[rules]]\npermission = "messaging.read"\neffect = "ask"\n'
    (folder / "data/policy.toml").write_text(rule)
    await shell.client.call("policy.reload")
    shell.person = always(shell, "always")
    async with shell.app("desk.ticker") as ticker:
        assert await ask(ticker) == "denied"


async def test_undeclared_permission(shell: TestShell) -> None:
    shell.person = always(shell)
    async with shell.app("desk.ticker") as ticker:
        for wish in (
            {"scope": "orders.#"},
            {"permission": "history"},
            {"permission": "process.launch", "scope": "desk.feed"},
            {"permission": "secrets", "scope": "own"},
        ):
            assert await ask(ticker, **wish) == "denied"
        assert await refused(ticker, "apps.launch", {"app": "desk.feed"}) == "permission_denied"
        assert await refused(ticker, "secrets.list", {}) == "permission_denied"
        nobody = {"permission": "system.tray", "scope": "all"}
        assert await refused(ticker, "permissions.request", nobody) == "invalid_params"
    async with shell.app("desk.unknown") as unknown:
        assert await ask(unknown) == "denied"
    assert shell.dialogs == []


async def test_two_windows_of_one_app(shell: TestShell) -> None:
    """A permission of one for once is not the other's, nor a new one's of the same name."""
    shell.person = always(shell, "once")
    order = {"topic": "orders.new", "payload": 1}
    async with shell.app("desk.ticker", "one") as one, shell.app("desk.ticker", "two") as two:
        assert await ask(one, permission="messaging.write", scope="orders.#") == "granted"
        assert await refused(two, "bus.publish", order) == "permission_denied"
        await one.call("bus.publish", order)
        assert await refused(one, "bus.publish", order) == "permission_denied"
        assert await ask(one, permission="messaging.write", scope="orders.#") == "granted"
        async with shell.app("desk.ticker", "one") as again:
            assert await refused(again, "bus.publish", order) == "permission_denied"


async def test_restart_between_ask_and_answer(folder: Path, anyio_backend: str) -> None:
    text, data = config(folder), folder / "data"
    late: list[dict[str, Any]] = []
    async with start_shell(data, config=text) as first:
        shown = anyio.Event()

        async def person(asked: ShowDialogParams) -> dict[str, Any]:
            await first.shown(asked)
            late.append({**answer_to(asked, "allow"), "remember": "always"})
            shown.set()
            await anyio.sleep_forever()
            raise AssertionError

        first.person = person
        async with first.app("desk.ticker") as ticker, anyio.create_task_group() as tasks:
            tasks.start_soon(_ask_in_vain, ticker)
            await shown.wait()
            first.process.kill()
            await first.process.wait()
            tasks.cancel_scope.cancel()
    async with start_shell(data, config=text) as second:

        async def answers_late(_: ShowDialogParams) -> dict[str, Any]:
            await anyio.sleep(0.55)
            return late[0]

        second.person = answers_late
        async with second.app("desk.ticker") as ticker:
            assert await query(ticker) == "prompt"
            assert await ask(ticker) == "denied"
            assert await query(ticker) == "prompt"


async def _ask_in_vain(ticker: Client) -> None:
    with pytest.raises(DeskbusError):
        await ask(ticker)


@pytest.mark.parametrize("method", ["files.read", "files.list", "files.write"])
async def test_where_a_link_leads_is_not_told(
    shared_shell: TestShell, shared_folder: Path, method: str
) -> None:
    """Neither an app without the permission nor one beside its scope learns what is on the disk:
    links of anybody, programs and working folders of other processes, the home folder.
    """
    shell, folder, asked = shared_shell, shared_folder, len(shared_shell.dialogs)
    places = [
        f"{folder}/link",
        f"{folder}/to-data/vault",
        f"{folder}/odd",
        f"{folder}/missing",
        f"/proc/{shell.process.pid}/exe",
        f"/proc/{shell.process.pid}/cwd",
        "~/.profile",
    ]
    content = {"content": "", "mode": "create"} if method == "files.write" else {}
    told: dict[str, set[str]] = {}
    for app in ("desk.ticker", "desk.feed"):
        async with shell.app(app) as client:
            for path in places:
                with pytest.raises(DeskbusError) as error:
                    await client.call(method, {"path": path, **content})
                words = f"{error.value.kind.name} {error.value.message} {error.value.action}"
                assert path in words
                told.setdefault(app, set()).add(words.replace(path, "PATH"))
    # The words of the refusal are the same whether anything is there or not.
    assert [len(words) for words in told.values()] == [1, 1]
    assert len(shell.dialogs) == asked


async def test_health_tells_apps_nothing_of_others(shell: TestShell, folder: Path) -> None:
    async with shell.app("desk.ticker") as ticker:
        told = await ticker.call("health.get", result=dict)
        full = await shell.client.call("health.get", {}, result=dict)
    assert told["components"].keys() == full["components"].keys()
    assert {tuple(component) for component in told["components"].values()} == {("status",)}
    assert any("detail" in component for component in full["components"].values())
    assert str(folder) not in str(told)
    assert "desk.feed" not in str(told)
