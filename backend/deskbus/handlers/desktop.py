"""`desktop.*`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.desktop import (
    AdmitParams,
    AdmitResult,
    AnswerChoiceParams,
    BeginDesktopResult,
    ClosedParams,
    HostedParams,
    HostedTicketResult,
    OpenedParams,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.ui import ChoiceAnswer


class DesktopsPort(Protocol):
    """Methods raise `DeskbusError` (permission_denied) for a client that is no desktop page."""

    async def begin(self, desktop: ClientId) -> BeginDesktopResult: ...

    def admit(self, desktop: ClientId, params: AdmitParams) -> AdmitResult: ...

    def ticket(self, desktop: ClientId, params: HostedParams) -> str: ...

    def opened(self, desktop: ClientId, params: OpenedParams) -> None: ...

    def closed(self, desktop: ClientId, params: ClosedParams) -> None: ...

    def instance(self, desktop: ClientId, params: HostedParams) -> ClientId: ...

    def answer(self, desktop: ClientId, answer: ChoiceAnswer) -> None: ...


def handlers(
    desktops: Callable[[], DesktopsPort], choose_channel: Callable[[ClientId], Awaitable[None]]
) -> Mapping[str, Handler]:
    """`desktops` raises `DeskbusError` (unavailable) where FDC3 is off."""

    async def begin(call: Call, _: NoParams) -> BeginDesktopResult:
        return await desktops().begin(call.identity)

    async def admit(call: Call, params: AdmitParams) -> AdmitResult:
        return desktops().admit(call.identity, params)

    async def ticket(call: Call, params: HostedParams) -> HostedTicketResult:
        return HostedTicketResult(ticket=desktops().ticket(call.identity, params))

    async def opened(call: Call, params: OpenedParams) -> Empty:
        desktops().opened(call.identity, params)
        return Empty()

    async def closed(call: Call, params: ClosedParams) -> Empty:
        desktops().closed(call.identity, params)
        return Empty()

    async def choose(call: Call, params: HostedParams) -> Empty:
        await choose_channel(desktops().instance(call.identity, params))
        return Empty()

    async def answer(call: Call, params: AnswerChoiceParams) -> Empty:
        desktops().answer(call.identity, params.answer)
        return Empty()

    return {
        "desktop.begin": begin,
        "desktop.admit": admit,
        "desktop.ticket": ticket,
        "desktop.opened": opened,
        "desktop.closed": closed,
        "desktop.chooseChannel": choose,
        "desktop.answerChoice": answer,
    }
