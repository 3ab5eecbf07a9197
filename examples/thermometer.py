"""A Python app: publishes a temperature each second, in a process that the backend started."""

import random

import anyio

from deskbus_protocol.client import run_as_app


async def main() -> None:
    async with run_as_app() as app:
        await app.ready()
        celsius = 18.0
        while True:
            celsius = round(celsius + random.choice((-0.1, 0.1)), 1)
            await app.publish("weather.temperature", celsius)
            await anyio.sleep(1)


anyio.run(main)
