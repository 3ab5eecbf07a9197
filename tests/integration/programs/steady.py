"""A Python app: counts what it hears, keeps the count, tells about itself."""

import os
import signal
import time

import anyio

from deskbus_protocol.client import App, Message, run_as_app


async def main() -> None:
    counted = 0

    async def keep(app: App) -> None:
        await app.save(counted)

    async def heard(app: App, message: Message) -> int:
        word = bytes(message.payload)
        if word == b'"save"':
            await keep(app)
        elif word == b'"crash"':
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == b'"hang"':
            while True:
                time.sleep(1)  # noqa: ASYNC251 - it is to hang
        elif word == b'"trouble"':
            await app.trouble("The exchange does not answer. " + "\U0001f4c9" * 200)
        else:
            return 1
        return 0

    async with run_as_app(read=["steady.in"], on_stop=keep) as app:
        counted = app.state or 0
        await app.ready()
        up = {"count": counted, "restarts": app.restarts, "electron": None, "pid": os.getpid()}
        await app.bus.publish("steady.up", up)
        async for message in app.messages("steady.in"):
            counted += await heard(app, message)
            await app.bus.publish("steady.out", {"count": counted})


anyio.run(main)
