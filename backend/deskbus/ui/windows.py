"""Windows of apps: described here, drawn by the shell, and where each of them is."""

from collections.abc import Callable
from pathlib import Path

from deskbus.ui.shell import Shell
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.method import Empty
from deskbus_protocol.ui import (
    Bounds,
    CloseWindowParams,
    OpenWindowParams,
    PlaceWindowParams,
    WindowDescriptor,
)

OPEN_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
PLACE_TIMEOUT_S = 5.0

MAX_PLACES = 10_000
"""Windows whose places are known; beyond, those that were told of longest ago are forgotten."""


def absolute_url(url: str, folder: Path) -> str:
    """An http(s) or file address as it is; anything else is a file below `folder`."""
    if "://" in url:
        return url
    return (folder / url).resolve().as_uri()


class Windows:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def open(self, descriptor: WindowDescriptor) -> None:
        """Returns when the page has loaded; raises `DeskbusError`."""
        params = OpenWindowParams(descriptor=descriptor)
        await self._shell.call("ui.openWindow", params, Empty, timeout_s=OPEN_TIMEOUT_S)

    async def place(self, window: str, bounds: Bounds) -> None:
        """Moves an open window; raises `DeskbusError`."""
        params = PlaceWindowParams(window=window, bounds=bounds)
        await self._shell.call("ui.placeWindow", params, Empty, timeout_s=PLACE_TIMEOUT_S)

    async def close(self, window: str) -> None:
        """Returns once the window is gone, even if it or the shell was gone already."""
        params = CloseWindowParams(window=window)
        try:
            await self._shell.call("ui.closeWindow", params, Empty, timeout_s=CLOSE_TIMEOUT_S)
        except DeskbusError:
            return


class WindowPlaces:
    """The positions of windows, as the shell reports them. `on_moved` is called for each change."""

    def __init__(self, on_moved: Callable[[str], None]) -> None:
        self._on_moved = on_moved
        self._places: dict[str, Bounds] = {}

    def of(self, window: str) -> Bounds | None:
        return self._places.get(window)

    def moved(self, window: str, bounds: Bounds) -> None:
        self._places.pop(window, None)
        self._places[window] = bounds
        if len(self._places) > MAX_PLACES:
            del self._places[next(iter(self._places))]
        self._on_moved(window)
