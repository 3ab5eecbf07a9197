"""Python's client, told what to do in lines on stdin; what happens is told in lines on stdout."""

import sys
from collections import deque
from functools import partial
from typing import Any

import anyio
import msgspec
from anyio import to_thread
from anyio.abc import TaskGroup

from deskbus_protocol.client import Message, SteadyClient, reconnecting_client
from deskbus_protocol.errors import DeskbusError

reconnecting_client.FIRST_DELAY_S = 0.02


def tell(**word: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()


class Reader:
    def __init__(self, pipe: str, app: str) -> None:
        self._tickets: deque[anyio.Event] = deque()
        self._ticket = ""
        self._client = SteadyClient(
            pipe, app, self._ask_for_ticket, on_state=lambda state: tell(state=state)
        )
        self._client.on_gap = lambda gap: tell(gap=gap)

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._client.run)
            while line := await to_thread.run_sync(
                sys.stdin.buffer.readline, abandon_on_cancel=True
            ):
                word = msgspec.json.decode(line)
                if word["op"] == "ticket":
                    self._ticket = word["ticket"]
                    self._tickets.popleft().set()
                else:
                    tasks.start_soon(self._perform, word, tasks)
            tasks.cancel_scope.cancel()

    async def _perform(self, word: dict[str, Any], tasks: TaskGroup) -> None:
        try:
            if word["op"] == "subscribe":
                await tasks.start(self._read, word["pattern"], word["mode"])
            else:
                say = partial(self._client.publish, word["topic"], {"number": word["number"]})
                if word["op"] != "post":
                    say = partial(say, confirm=True)
                await say(while_closed=word["whileClosed"])
            tell(done=word["id"])
        except DeskbusError as error:
            tell(done=word["id"], error=error.kind.code)

    async def _read(
        self, pattern: str, mode: Any, *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        async with self._client.subscribe(pattern, mode=mode) as messages:
            task_status.started()
            async for message in messages:
                tell(message=told(message))
                if mode == "acknowledged" and not msgspec.json.decode(message.payload).get("held"):
                    await self._client.acknowledge(message)

    async def _ask_for_ticket(self) -> str:
        arrived = anyio.Event()
        self._tickets.append(arrived)
        tell(ticket=True)
        await arrived.wait()
        return self._ticket


def told(message: Message) -> dict[str, object]:
    number = msgspec.json.decode(message.payload)["number"]
    return {"topic": message.topic, "number": number, "redelivery": message.redelivery or 0}


if __name__ == "__main__":
    anyio.run(Reader(*sys.argv[1:3]).run)
