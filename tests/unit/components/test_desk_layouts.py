"""Layouts of the desk: one is written at a time, and an app that fails is no other's trouble."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from deskbus.components import desk_layouts as module
from deskbus.components.desk_layouts import DeskLayouts
from deskbus.components.fdc3.fdc3 import NoLayout
from deskbus.contracts.listeners import Listeners
from deskbus.processes.spec import MAIN_CLIENT, PlacedWindow
from deskbus.ui.layout_files import FOLDER, LayoutFiles
from deskbus_protocol.apps import AppStatus
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.layouts import LAST, Layout, LayoutApp, LayoutWindow

LIMIT_S = 20


class Channels(NoLayout):
    def __init__(self) -> None:
        self.joined: set[ClientId] = set()
        self.move: Callable[[ClientId, str | None], None] = lambda *_: None

    def on_moved(self, tell: Callable[[ClientId, str | None], None]) -> None:
        self.move = tell

    def join(self, identity: ClientId, channel: str) -> None:
        self.joined.add(identity)

    def give_up(self, identity: ClientId) -> None:
        self.joined.discard(identity)


class Apps:
    """Those that are running; `errors` says how others fail to come back, or that they hang."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.looked = 0
        self.errors: dict[str, Exception | None] = {}
        self.hanging = anyio.Event()

    def has(self, app: str) -> bool:
        return app in self.running

    def desk(self) -> list[AppStatus]:
        self.looked += 1
        return [
            AppStatus(app=app, name=app, state="ready", windows=[], restarts=0)
            for app in self.running
        ]

    async def restore(
        self,
        app: str,
        windows: Sequence[PlacedWindow],
        on_client: Callable[[PlacedWindow, str], None],
    ) -> None:
        for window in windows:
            on_client(window, window.client)
        if app in self.errors:
            error = self.errors[app]
            if error is not None:
                raise error
            self.hanging.set()
            await anyio.sleep_forever()
        self.running.append(app)


async def allow(_: str) -> None:
    return


class Desk:
    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        self.apps, self.channels = Apps(), Channels()
        self.files = LayoutFiles(folder / FOLDER)
        config = SimpleNamespace(
            session=SimpleNamespace(keep=keep), persistence=SimpleNamespace(sensitive=[])
        )
        settings = SimpleNamespace(config=config, data_dir=folder)
        self.layouts = DeskLayouts(
            cast(Any, SimpleNamespace(settings=settings, loops=None)),
            cast(Any, SimpleNamespace(window_places={}, window_moved=Listeners[str]())),
            cast(Any, SimpleNamespace(check_launch=allow)),
            cast(Any, SimpleNamespace(manager=self.apps, changed=Listeners[AppStatus]())),
            self.channels,
        )

    @property
    def known(self) -> list[ClientId]:
        """The clients whose channels are known, in the order in which they joined."""
        return list(self.layouts._channels)

    def has_saved(self, *apps: str) -> None:
        windows = [LayoutWindow(client="window", channel="red")]
        layout = Layout(apps=[LayoutApp(app=app, windows=windows, channel="red") for app in apps])
        self.files.write("desk", layout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_layout_is_written_once_at_a_time_and_the_later_one_has_the_later_desk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, write = threading.Event(), LayoutFiles.write

    def slow(files: LayoutFiles, name: str, layout: Layout) -> Path:
        assert goes_on.wait(LIMIT_S)
        return write(files, name, layout)

    monkeypatch.setattr(LayoutFiles, "write", slow)
    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.layouts.save, "desk")
            tasks.start_soon(desk.layouts.save, "desk")
            await anyio.wait_all_tasks_blocked()
            looked = desk.apps.looked
            desk.apps.running.append("chart")
            goes_on.set()
    assert looked == 1
    assert [app.app for app in desk.files.read("desk").apps] == ["chart"]


async def test_the_desk_is_kept_though_the_shell_that_quits_is_gone_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, keep=True)
    desk.apps.running = ["chart"]
    with anyio.CancelScope() as of_the_link:
        of_the_link.cancel()
        await desk.layouts.quitting()
    assert [app.app for app in desk.files.read(LAST).apps] == ["chart"]


async def test_an_app_that_fails_is_told_and_the_others_come_back(desk: Desk) -> None:
    desk.has_saved("news", "chart", "blotter")
    desk.apps.errors = {"chart": RuntimeError("a fault of the backend's own")}
    result = await desk.layouts.restore("desk")
    assert desk.apps.running == ["news", "blotter"]
    assert (result.apps, [each.app for each in result.failed]) == (2, ["chart"])
    assert "fault" not in result.failed[0].reason
    assert {identity.app for identity in desk.channels.joined} == {"news", "blotter"}


async def test_channels_of_an_app_whose_return_is_cancelled_are_given_up(desk: Desk) -> None:
    desk.has_saved("chart")
    desk.apps.errors = {"chart": None}
    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.layouts.restore, "desk")
            await desk.apps.hanging.wait()
            assert len(desk.channels.joined) == 2
            tasks.cancel_scope.cancel()
    assert desk.channels.joined == set()


def test_channels_are_known_of_apps_that_a_layout_may_have_alone(desk: Desk) -> None:
    desk.apps.running = ["chart"]
    desk.channels.move(ClientId("tools", MAIN_CLIENT), "red")
    assert desk.known == []
    desk.channels.move(ClientId("chart", MAIN_CLIENT), "red")
    assert desk.known == [ClientId("chart", MAIN_CLIENT)]
    desk.channels.move(ClientId("chart", MAIN_CLIENT), None)
    assert desk.known == []


def test_channels_of_clients_that_come_and_go_are_forgotten_and_others_are_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CHANNELS", 20)
    monkeypatch.setattr(module, "MAX_JOINING", 5)
    desk.apps.running = ["chart"]
    desk.channels.move(ClientId("chart", MAIN_CLIENT), "red")
    for number in range(100):
        joined = ClientId("chart", f"window-{number}")
        desk.channels.move(joined, "red")
        assert len(desk.known) <= 20
        assert desk.known[-1] == joined
    assert desk.known[0] == ClientId("chart", MAIN_CLIENT)


def test_of_too_many_clients_that_are_all_there_those_that_joined_last_are_known(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CHANNELS", 20)
    desk.apps.running = [f"app-{number}" for number in range(50)]
    everybody = [ClientId(app, MAIN_CLIENT) for app in desk.apps.running]
    for identity in everybody:
        desk.channels.move(identity, "red")
    assert desk.known == everybody[-20:]
