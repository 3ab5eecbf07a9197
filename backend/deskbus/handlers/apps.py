"""`apps.*`."""

from collections.abc import Mapping

from deskbus.processes.manager import ProcessIsolationManager
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus_protocol.apps import AppList, AppResult, OneAppParams
from deskbus_protocol.method import Empty, NoParams


def handlers(apps: ProcessIsolationManager) -> Mapping[str, Handler]:
    async def list_apps(_: Call, __: NoParams) -> AppList:
        return AppList(apps=apps.list())

    async def launch(call: Call, params: OneAppParams) -> AppResult:
        return AppResult(status=await apps.launch(params.app, call.progress))

    async def terminate(_: Call, params: OneAppParams) -> Empty:
        await apps.terminate(params.app)
        return Empty()

    async def restart(call: Call, params: OneAppParams) -> AppResult:
        return AppResult(status=await apps.restart(params.app, call.progress))

    return {
        "apps.list": list_apps,
        "apps.launch": launch,
        "apps.terminate": terminate,
        "apps.restart": restart,
    }
