"""`ui.*`: what the shell tells about the things it draws."""

from collections.abc import Mapping

from msgspec import UnsetType

from deskbus.processes.manager import ProcessIsolationManager
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.ui.consent_dialogs import ConsentDialogs
from deskbus.ui.renderer_processes import RendererProcesses
from deskbus.ui.utility_processes import UtilityProcesses
from deskbus.ui.windows import WindowPlaces
from deskbus_protocol.method import Empty
from deskbus_protocol.ui import DialogShownParams, WindowClosedParams, WindowMovedParams
from deskbus_protocol.utility import UtilityExitedParams, UtilityOutputParams
from deskbus_protocol.windows import WindowGoneParams, WindowProcessesParams


def handlers(
    dialogs: ConsentDialogs,
    apps: ProcessIsolationManager,
    renderers: RendererProcesses,
    utilities: UtilityProcesses,
    places: WindowPlaces,
) -> Mapping[str, Handler]:
    async def dialog_shown(_: Call, params: DialogShownParams) -> Empty:
        dialogs.shown(params.dialog)
        return Empty()

    async def window_closed(_: Call, params: WindowClosedParams) -> Empty:
        apps.window_closed(params.window)
        return Empty()

    async def window_moved(_: Call, params: WindowMovedParams) -> Empty:
        places.moved(params.window, params.bounds)
        return Empty()

    async def window_processes(_: Call, params: WindowProcessesParams) -> Empty:
        renderers.on_renderers_changed(params.app, params.pids)
        return Empty()

    async def window_gone(_: Call, params: WindowGoneParams) -> Empty:
        code = None if isinstance(params.exit_code, UnsetType) else params.exit_code
        apps.window_gone(params.window, params.reason, code)
        return Empty()

    async def utility_output(_: Call, params: UtilityOutputParams) -> Empty:
        utilities.wrote(params.run, params.text)
        return Empty()

    async def utility_exited(_: Call, params: UtilityExitedParams) -> Empty:
        utilities.exited(params.run, params.exit_code)
        return Empty()

    return {
        "ui.dialogShown": dialog_shown,
        "ui.windowClosed": window_closed,
        "ui.windowMoved": window_moved,
        "ui.windowProcesses": window_processes,
        "ui.windowGone": window_gone,
        "apps.utilityOutput": utility_output,
        "apps.utilityExited": utility_exited,
    }
