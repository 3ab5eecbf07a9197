"""`support.*`."""

from collections.abc import Awaitable, Callable, Mapping

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.method import NoParams
from deskbus_protocol.support import SupportReport


def handlers(collect: Callable[[], Awaitable[SupportReport]]) -> Mapping[str, Handler]:
    async def report(_: Call, __: NoParams) -> SupportReport:
        return await collect()

    return {"support.collect": report}
