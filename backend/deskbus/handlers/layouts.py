"""`session.save`, `session.restore` and others: layouts of the desk."""

from collections.abc import Mapping
from typing import Protocol

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.layouts import (
    LayoutList,
    LayoutParams,
    NamedLayoutParams,
    RestoreLayoutResult,
    SaveLayoutResult,
)
from deskbus_protocol.method import Empty, NoParams


class Layouts(Protocol):
    """Raises `DeskbusError`."""

    async def save(self, name: str) -> SaveLayoutResult: ...

    async def restore(self, name: str) -> RestoreLayoutResult: ...

    async def list(self) -> LayoutList: ...

    async def remove(self, name: str) -> None: ...

    async def quitting(self) -> None: ...


def handlers(layouts: Layouts) -> Mapping[str, Handler]:
    async def save(_: Call, params: LayoutParams) -> SaveLayoutResult:
        return await layouts.save(params.name)

    async def restore(_: Call, params: LayoutParams) -> RestoreLayoutResult:
        return await layouts.restore(params.name)

    async def list_layouts(_: Call, __: NoParams) -> LayoutList:
        return await layouts.list()

    async def remove(_: Call, params: NamedLayoutParams) -> Empty:
        await layouts.remove(params.name)
        return Empty()

    async def quitting(_: Call, __: NoParams) -> Empty:
        await layouts.quitting()
        return Empty()

    return {
        "session.save": save,
        "session.restore": restore,
        "session.list": list_layouts,
        "session.remove": remove,
        "ui.quitting": quitting,
    }
