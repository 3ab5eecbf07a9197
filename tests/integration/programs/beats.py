"""A Python app that gives signs of life, and does nothing else."""

import anyio

from deskbus_protocol.client import run_as_app


async def main() -> None:
    async with run_as_app() as app:
        await app.ready()
        await anyio.sleep_forever()


anyio.run(main)
