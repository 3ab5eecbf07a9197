"""The demo's troublemaker: a process that does on request what no app should do."""

import ctypes
import os
import sys
import time

import anyio
import anyio.lowlevel
import msgspec
import psutil

from deskbus_protocol.client import App, run_as_app

TELL_EVERY_S = 0.25
MEGABYTE = 1024 * 1024
BITE_BYTES = 8 * MEGABYTE
BITE_EVERY_S = 0.05
FLOOD_BLOCK = 500
DEEDS_KEPT = 4

DEEDS = {
    "crash": "crashed",
    "hang": "stopped answering",
    "memory": "ate memory",
    "flood": "flooded the bus",
}


class Chaos:
    """Keeps a list of its deeds as its saved state, so that a new process knows of them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._deeds: list[dict[str, object]] = app.state or []
        self._eaten: list[bytes] = []
        self._me = psutil.Process()

    async def tell(self) -> None:
        """Publishes how it is, again and again."""
        while True:
            await self._app.bus.publish(
                "chaos.pulse",
                {
                    "pid": os.getpid(),
                    "memory": self._me.memory_info().rss,
                    "restarts": self._app.restarts,
                    "deeds": self._deeds[-DEEDS_KEPT:],
                    "count": len(self._deeds),
                },
            )
            await anyio.sleep(TELL_EVERY_S)

    async def do(self, deed: str) -> None:
        self._deeds.append({"at": time.time() * 1000, "what": DEEDS[deed]})
        await self._app.save(self._deeds)
        if deed == "crash":
            ctypes.string_at(0)
        elif deed == "hang":
            while True:
                time.sleep(1)  # noqa: ASYNC251 - this is the deed
        elif deed == "memory":
            while True:
                self._eaten.append(os.urandom(BITE_BYTES))
                await anyio.sleep(BITE_EVERY_S)
        else:
            while True:
                for _ in range(FLOOD_BLOCK):
                    await self._app.bus.publish("chaos.flood", "x" * 100)
                await anyio.lowlevel.checkpoint()


async def main() -> None:
    async with run_as_app(read=["chaos.do"]) as app, anyio.create_task_group() as tasks:
        chaos = Chaos(app)
        tasks.start_soon(chaos.tell)
        await app.ready()
        async for message in app.messages("chaos.do"):
            deed = msgspec.json.decode(message.payload)
            print(f"asked to {deed}", flush=True)
            if deed in DEEDS:
                tasks.start_soon(chaos.do, deed)


if __name__ == "__main__":
    sys.exit(anyio.run(main))
