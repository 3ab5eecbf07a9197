"""An app for pictures: it publishes on many topics at RATE messages a second, and reads them too.

One topic it reads acknowledged, and acknowledges nothing, so that there are dead letters.
"""

import os

import anyio

from deskbus_protocol.client import run_as_app

RATE = int(os.environ["RATE"])
TICKS_PER_S = 50
TOPICS = [
    f"load.desk-{desk}.{kind}" for desk in range(12) for kind in ("quotes", "orders", "fills")
]


async def main() -> None:
    async with (
        run_as_app() as app,
        app.subscribe("load.#", buffer=1000) as messages,
        app.subscribe("status.#", mode="acknowledged", buffer=1000) as unacknowledged,
    ):
        await app.publish("status.desk", {"open": True}, headers={"desk": "north"})
        await app.ready()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, messages)
            tasks.start_soon(read, unacknowledged)
            due, number = anyio.current_time(), 0
            while True:
                due += 1 / TICKS_PER_S
                await anyio.sleep_until(due)
                for _ in range(max(1, RATE // TICKS_PER_S)):
                    number += 1
                    topic = TOPICS[number * number % len(TOPICS)]
                    await app.publish(topic, {"number": number, "bid": 1.0842, "side": "buy"})


async def read(messages: anyio.abc.ObjectReceiveStream[object]) -> None:
    async for _ in messages:
        pass


if __name__ == "__main__":
    anyio.run(main)
