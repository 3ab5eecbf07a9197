"""`panels.*`, and what a person does in a panel."""

from collections.abc import Mapping
from pathlib import Path

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.ui.panels.panels import Panels
from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.panels import (
    OpenedPanel,
    OpenPanelParams,
    PanelActionParams,
    PanelActionResult,
    PanelContent,
    PanelList,
    PanelParams,
    PanelQueryParams,
    PerformParams,
    RegisterPanelParams,
)


def handlers(panels: Panels) -> Mapping[str, Handler]:
    async def list_panels(_: Call, __: NoParams) -> PanelList:
        return PanelList(names=panels.names, panels=panels.listed())

    async def open_panel(_: Call, params: OpenPanelParams) -> OpenedPanel:
        return OpenedPanel(panel=await panels.open(params.name, params.query))

    async def describe(_: Call, params: OpenPanelParams) -> PanelContent:
        return await panels.describe(params.name, params.query)

    async def perform(_: Call, params: PerformParams) -> PanelActionResult:
        row = params.row if isinstance(params.row, str) else None
        words = await panels.perform(params.name, params.query, params.action, row)
        return PanelActionResult(message=words)

    async def register(call: Call, params: RegisterPanelParams) -> Empty:
        _only_shell_link(call)
        panels.register(params.name, params.title)
        return Empty()

    async def query(call: Call, params: PanelQueryParams) -> Empty:
        _only_shell_link(call)
        panels.look(params.panel, params.query)
        return Empty()

    async def action(call: Call, params: PanelActionParams) -> PanelActionResult:
        _only_shell_link(call)
        row = params.row if isinstance(params.row, str) else None
        path = Path(params.path) if isinstance(params.path, str) else None
        words = await panels.act(params.panel, params.revision, params.action, row, path)
        return PanelActionResult(message=words)

    async def closed(call: Call, params: PanelParams) -> Empty:
        _only_shell_link(call)
        panels.closed(params.panel)
        return Empty()

    return {
        "panels.list": list_panels,
        "panels.open": open_panel,
        "panels.describe": describe,
        "panels.perform": perform,
        "panels.register": register,
        "ui.panelQuery": query,
        "ui.panelAction": action,
        "ui.panelClosed": closed,
    }


def _only_shell_link(call: Call) -> None:
    """Refuses every other client: a developer's may do much in the shell's place, but not act as a
    person.
    """
    if not call.connection.shell_link:
        raise DeskbusError(PERMISSION_DENIED)
