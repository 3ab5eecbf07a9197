"""Steady load for a long time: `python -m tests.performance.soak --minutes 10`.

Twelve steady clients publish numbered messages and read everybody's; eight visitors come, read,
publish and go. Memory, open files and losses are printed as time goes by and written to
build/soak/results.json. The exit code is 1 where a message is lost or doubled, or where memory or
open files grow.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from statistics import median

import anyio
import msgspec
from anyio.abc import TaskStatus

from deskbus_protocol.client import Client, Message, connect_with_ticket
from tests.performance.load import ROOT
from tests.performance.ours import APP, read_ticket
from tests.performance.rows import SERVERS
from tests.performance.server import Running, started

STEADY = 12
VISITORS = 8
MESSAGES_PER_S = 20
VISIT_S = (1.0, 5.0)
LAST_MESSAGES_S = 10.0
SAMPLES = 60
GROWTH_PART = 0.1
GROWTH_MB = 5.0
OUTPUT = ROOT / "build" / "soak"
PATTERN = "soak.#"
PAYLOAD = "x" * 256


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The state at one moment; the counts are from the beginning."""

    at_s: float
    memory_mb: float
    files: int
    sent: int
    received: int
    lost: int
    doubled: int
    visits: int


class Reader:
    """What one client has heard: the last number of each topic."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self.received = 0
        self.lost = 0
        self.doubled = 0

    async def listen(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            number, _ = msgspec.json.decode(message.payload, type=tuple[int, str])
            self._note(message.topic, number)

    def _note(self, topic: str, number: int) -> None:
        before = self.last.get(topic, number - 1)
        self.received += 1
        self.lost += max(0, number - before - 1)
        self.doubled += number <= before
        self.last[topic] = max(before, number)


class Soak:
    """One run: its clients, and what they sent and heard."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._began = time.monotonic()
        self._ending = False
        self._sent: Counter[str] = Counter()
        self._readers: list[Reader] = []
        self._steady: list[Reader] = []
        self._visits = 0

    async def run(self, length_s: float) -> list[Sample]:
        samples: list[Sample] = []
        async with anyio.create_task_group() as tasks:
            for number in range(STEADY):
                await tasks.start(self._stay, f"soak.steady.{number}")
            for number in range(VISITORS):
                tasks.start_soon(self._come_and_go, f"soak.visitor.{number}")
            for _ in range(SAMPLES):
                await anyio.sleep(length_s / SAMPLES)
                samples.append(self._sample())
                _print(samples[-1])
            self._ending = True
            with anyio.move_on_after(LAST_MESSAGES_S):
                while self._missing():
                    await anyio.sleep(0.05)
            samples.append(self._sample(self._missing()))
            _print(samples[-1])
            tasks.cancel_scope.cancel()
        return samples

    async def _stay(self, topic: str, *, task_status: TaskStatus[None]) -> None:
        """Publishes without waiting for answers, and reads, until it is cancelled."""
        reader = self._reader()
        self._steady.append(reader)
        async with (
            self._connect() as client,
            client.subscribe(PATTERN) as messages,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(reader.listen, messages)
            task_status.started()
            while not self._ending:
                await client.publish(topic, self._next(topic))
                await anyio.sleep(1 / MESSAGES_PER_S)

    async def _come_and_go(self, topic: str) -> None:
        chance = random.Random(topic)
        while not self._ending:
            await self._visit(topic, chance.uniform(*VISIT_S))

    async def _visit(self, topic: str, length_s: float) -> None:
        """Publishes, waiting for each answer, and reads; then leaves."""
        reader = self._reader()
        self._visits += 1
        leaving = time.monotonic() + length_s
        async with (
            self._connect() as client,
            client.subscribe(PATTERN) as messages,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(reader.listen, messages)
            while not self._ending and time.monotonic() < leaving:
                await client.publish(topic, self._next(topic), confirm=True)
                await anyio.sleep(1 / MESSAGES_PER_S)
            tasks.cancel_scope.cancel()

    def _connect(self) -> AbstractAsyncContextManager[Client]:
        return connect_with_ticket(
            self._running.address["pipe"], read_ticket(self._running.address), APP
        )

    def _reader(self) -> Reader:
        reader = Reader()
        self._readers.append(reader)
        return reader

    def _next(self, topic: str) -> tuple[int, str]:
        self._sent[topic] += 1
        return self._sent[topic], PAYLOAD

    def _missing(self) -> int:
        """How many messages have not reached the end of a steady reader's stream yet."""
        return sum(
            count - reader.last.get(topic, 0)
            for reader in self._steady
            for topic, count in self._sent.items()
        )

    def _sample(self, missing: int = 0) -> Sample:
        return Sample(
            at_s=time.monotonic() - self._began,
            memory_mb=self._running.memory_mb(),
            files=self._running.files(),
            sent=self._sent.total(),
            received=sum(reader.received for reader in self._readers),
            lost=missing + sum(reader.lost for reader in self._readers),
            doubled=sum(reader.doubled for reader in self._readers),
            visits=self._visits,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(arguments)
    with started(SERVERS["deskbus"]) as running:
        samples = anyio.run(Soak(running).run, options.minutes * 60)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "results.json").write_bytes(msgspec.json.encode(samples) + b"\n")
    faults = find_faults(samples)
    for fault in faults:
        print(f"FAILED: {fault}")
    if not faults:
        print("Nothing lost, nothing doubled, no growth.")
    return 1 if faults else 0


def find_faults(samples: Sequence[Sample]) -> list[str]:
    """What must not be: the last quarter is compared with the second."""
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    last = samples[-1]
    faults = []
    if last.lost:
        faults.append(f"{last.lost} messages were lost")
    if last.doubled:
        faults.append(f"{last.doubled} messages came twice")
    before = median(sample.memory_mb for sample in early)
    growth = median(sample.memory_mb for sample in late) - before
    if growth > max(GROWTH_MB, before * GROWTH_PART):
        faults.append(f"memory grew by {growth:.1f} MB from {before:.1f} MB")
    files = max(sample.files for sample in early), max(sample.files for sample in late)
    if files[1] > files[0] + VISITORS:
        faults.append(f"open files grew from {files[0]} to {files[1]}")
    return faults


def _print(sample: Sample) -> None:
    print(
        f"{sample.at_s:8.1f} s  {sample.memory_mb:6.1f} MB  {sample.files:4} files  "
        f"{sample.sent:9,} sent  {sample.received:11,} received  {sample.lost:3} lost  "
        f"{sample.doubled:3} doubled  {sample.visits:6,} visits",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
