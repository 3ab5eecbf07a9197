"""The demo's price feed: simulated quotes, in a process of its own that the backend spawned."""

import random
import sys
import time
from dataclasses import dataclass, field

import anyio

from deskbus_protocol.client import App, run_as_app
from deskbus_protocol.errors import DeskbusError

MESSAGES_PER_S = 50
SEED = 20_240_613
PULL = 0.002
"""How strongly each step leans back to the day's open, so that a long demo stays plausible."""


@dataclass
class Instrument:
    """Prices are whole ticks; `decimals` places are shown, and a tick is the last of them."""

    symbol: str
    name: str
    kind: str
    decimals: int
    open: int
    spread: int
    step: float
    weight: int
    mid: float = field(init=False)
    low: int = field(init=False)
    high: int = field(init=False)

    def __post_init__(self) -> None:
        self.mid = float(self.open)
        self.low = self.high = self.open

    def move(self, chance: random.Random) -> dict[str, object]:
        """Takes one random step and returns the quote after it."""
        self.mid += chance.gauss((self.open - self.mid) * PULL, self.step)
        width = max(1, self.spread + chance.choice((-1, 0, 0, 0, 1)))
        bid = round(self.mid - width / 2)
        ask = bid + width
        last = chance.choice((bid, ask))
        self.low, self.high = min(self.low, last), max(self.high, last)
        return {
            "symbol": self.symbol,
            "name": self.name,
            "kind": self.kind,
            "decimals": self.decimals,
            "bid": self._price(bid),
            "ask": self._price(ask),
            "last": self._price(last),
            "low": self._price(self.low),
            "high": self._price(self.high),
            "changePct": round(100 * (self.mid - self.open) / self.open, 3),
            "time": time.time() * 1000,
        }

    def _price(self, ticks: int) -> float:
        return round(ticks / 10.0**self.decimals, self.decimals)


INSTRUMENTS = (
    Instrument("EURUSD", "Euro / US dollar", "fx", 5, 108_427, 4, 3.0, 10),
    Instrument("GBPUSD", "Pound / US dollar", "fx", 5, 127_136, 7, 4.0, 8),
    Instrument("USDJPY", "US dollar / Yen", "fx", 3, 156_218, 6, 5.0, 8),
    Instrument("USDCHF", "US dollar / Franc", "fx", 5, 89_344, 8, 3.5, 6),
    Instrument("ASML", "ASML Holding", "equity", 2, 92_140, 20, 14.0, 4),
    Instrument("SAP", "SAP SE", "equity", 2, 17_862, 4, 3.0, 4),
    Instrument("SHEL", "Shell", "equity", 2, 3_344, 2, 0.9, 4),
    Instrument("AIR", "Airbus", "equity", 2, 15_018, 4, 2.6, 4),
)


async def feed(app: App) -> None:
    """Publishes quotes at a steady rate until the app is to end."""
    chance = random.Random(SEED)
    weights = [instrument.weight for instrument in INSTRUMENTS]
    for instrument in INSTRUMENTS:
        await app.publish(f"prices.{instrument.symbol}", instrument.move(chance), confirm=True)
    await app.ready()
    due = anyio.current_time()
    while True:
        due += 1 / MESSAGES_PER_S
        await anyio.sleep_until(due)
        (instrument,) = chance.choices(INSTRUMENTS, weights)
        await app.publish(f"prices.{instrument.symbol}", instrument.move(chance), confirm=True)


async def main() -> int:
    try:
        async with run_as_app() as app:
            await feed(app)
    except DeskbusError as error:
        print(f"feed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
