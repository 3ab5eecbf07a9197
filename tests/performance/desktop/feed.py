"""A feed in Python: an app of deskbus, or with a rate and a count a program that writes lines."""

import sys
import time
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from deskbus_protocol.client import run_as_app

TEXT = "x" * 200
STEP_S = 0.001
ORDERS = "bench.order"

Send = Callable[[dict[str, object]], Awaitable[None]]


async def feed(rate: int, count: int, send: Send) -> None:
    """Sends `count` messages, `rate` a second; what is due is sent at once."""
    began = time.monotonic()
    sent = 0
    while sent < count:
        due = min(count, int((time.monotonic() - began) * rate) + 1)
        while sent < due:
            await send({"at": time.time() * 1000, "text": TEXT})
            sent += 1
        await anyio.sleep(STEP_S)


async def write_lines(rate: int, count: int) -> None:
    async def write(payload: dict[str, object]) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(payload) + b"\n")
        sys.stdout.buffer.flush()

    await feed(rate, count, write)


async def publish() -> None:
    async with run_as_app(read=[ORDERS]) as app:
        await app.ready()

        async def send(payload: dict[str, object]) -> None:
            await app.publish("bench.feed", payload)

        async for message in app.messages(ORDERS):
            order = msgspec.json.decode(message.payload)
            await feed(order["rate"], order["count"], send)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        anyio.run(write_lines, int(sys.argv[1]), int(sys.argv[2]))
    else:
        anyio.run(publish)
