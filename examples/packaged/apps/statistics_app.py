"""A Python app with a compiled dependency: answers requests, and says what it has answered."""

from typing import Any

import anyio
import numpy as np

from deskbus_protocol.client import run_as_app


async def main() -> None:
    async with run_as_app() as app:

        async def summarize(numbers: Any) -> dict[str, Any]:
            values = np.asarray(numbers, dtype=float)
            await app.publish("statistics.done", {"count": values.size}, confirm=True)
            return {
                "mean": float(values.mean()),
                "deviation": float(values.std()),
                "numpy": np.__version__,
            }

        await app.respond("statistics.summary", summarize)
        await app.ready()
        await anyio.sleep_forever()


anyio.run(main)
