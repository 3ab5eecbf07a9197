"""`ui.*`: what the shell tells about the things it draws."""

from collections.abc import Mapping

from deskbus.processes.manager import ProcessIsolationManager
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus.ui.consent import ConsentDialogs
from deskbus_protocol.method import Empty
from deskbus_protocol.ui import DialogShownParams, WindowClosedParams


def handlers(dialogs: ConsentDialogs, apps: ProcessIsolationManager) -> Mapping[str, Handler]:
    async def dialog_shown(_: Call, params: DialogShownParams) -> Empty:
        dialogs.shown(params.dialog)
        return Empty()

    async def window_closed(_: Call, params: WindowClosedParams) -> Empty:
        apps.window_closed(params.window)
        return Empty()

    return {"ui.dialogShown": dialog_shown, "ui.windowClosed": window_closed}
