"""The windows of an app: which are opened with it, and which once more."""

from typing import Any, cast
from unittest.mock import Mock

import pytest

from deskbus.processes.managed_app import ManagedApp
from deskbus.processes.ports import AppPorts
from deskbus.processes.spec import AppSpec, PlacedWindow
from deskbus_protocol.ui import WindowDescriptor
from tests.support.audit_trail import FakeTrail

APP = "desk.chart"


class Windows:
    """The shell's; `opened` are the names of those it was asked to open."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    async def open(self, window: WindowDescriptor) -> None:
        self.opened.append(window.client)


@pytest.mark.parametrize("by_layout", [False, True])
async def test_a_window_of_the_manifest_that_a_layout_brings_back_is_no_additional_one(
    by_layout: bool,
) -> None:
    own = tuple(
        WindowDescriptor(
            app=APP,
            window=f"{APP}/{name}",
            client=name,
            title="Chart",
            url="https://chart.example.com/",
            width=400,
            height=300,
        )
        for name in ("main-window", "tools")
    )
    windows = Windows()
    app = ManagedApp(
        AppSpec(APP, "Chart", own, None),
        AppPorts(
            windows=cast(Any, windows),
            trail=FakeTrail(),
            renderers=Mock(of=lambda _: []),
            bus_limit=Mock(excess_per_s=lambda _: (0.0, 0.0)),
            tell_app=Mock(),
            on_changed=Mock(),
        ),
        Mock(),
        Mock(),
    )
    if by_layout:
        await app.restore([PlacedWindow("main-window")], Mock())
    else:
        await app.launch(Mock())
        app.window_closed(f"{APP}/tools")
    await app.restore([PlacedWindow("tools")], Mock())
    windows.opened.clear()
    await app.launch(Mock())
    assert windows.opened == ["main-window", "tools"]
