"""Launches of apps, and the wait for the listener that a launched app has to add."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio

from deskbus.fdc3.agent import AgentCore
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.state.deliveries import ContextDelivery, IntentDelivery, WaitingDelivery
from deskbus.fdc3.state.instances import Instance
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.fdc3 import LAUNCH_TIMEOUT_MS, LISTENER_TIMEOUT_MS


class ListenerWait:
    """The wait for one listener of one instance, within a `with` block.

    Raises `DacpError` (ApiTimeout) at its beginning where too much waits already.
    """

    def __init__(self, agent: AgentCore, wanted: ContextDelivery | IntentDelivery) -> None:
        self._agent = agent
        self._came = False
        self._settled = anyio.Event()
        due_s = agent.around.now_s() + LAUNCH_TIMEOUT_MS / 1000
        self._waiting = WaitingDelivery("", wanted, due_s, self._settle)

    def __enter__(self) -> Self:
        if not self._agent.deliveries.add(self._waiting):
            raise DacpError("ApiTimeout")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._agent.deliveries.drop(self._waiting)

    def begins(self, instance: Instance) -> None:
        """Attributes the launch to this instance's listener, before anything of it runs."""
        self._waiting.instance_id = instance.id

    async def come(self) -> bool:
        """Whether it came in time, from when the app has been launched."""
        self._waiting.due_s = self._agent.around.now_s() + LISTENER_TIMEOUT_MS / 1000
        await self._settled.wait()
        return self._came

    def _settle(self, came: bool) -> None:
        self._came = came
        self._settled.set()


async def opened(
    agent: AgentCore, app: str, begins: Callable[[Instance], None], opener: Instance
) -> Instance:
    """A new instance of an app; `begins` is told it before anything of it runs.

    Raises `DeskbusError`.
    """
    made: list[Instance] = []

    def on_client(client: ClientId) -> None:
        made.append(agent.expect(client))
        begins(made[0])

    await agent.around.launcher.open(app, on_client, opener.identity)
    if not made or agent.instances.get(made[0].id) is None:
        raise DeskbusError(UNAVAILABLE, f"{app} has ended while it was opened.")
    return made[0]
