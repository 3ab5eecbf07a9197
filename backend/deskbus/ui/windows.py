"""Windows of apps: described here, drawn by the shell."""

from pathlib import Path

from deskbus.ui.shell import Shell
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.method import Empty
from deskbus_protocol.ui import CloseWindowParams, OpenWindowParams, WindowDescriptor

OPEN_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0


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

    async def close(self, window: str) -> None:
        """Returns when the window is gone, also where it or the shell is gone already."""
        params = CloseWindowParams(window=window)
        try:
            await self._shell.call("ui.closeWindow", params, Empty, timeout_s=CLOSE_TIMEOUT_S)
        except DeskbusError:
            return
