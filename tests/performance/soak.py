"""A desk's life for a long time: `python -m tests.performance.soak --minutes 10`.

A million messages an hour: steady clients publish numbered messages and read everybody's. Meanwhile
visitors are granted what they need, come, read, publish, leave or are cut off, and lose their grant
again; an app's process is killed and comes back; keys are rotated; files of the log rotate; the
wall clock steps by hours and weeks. The exit code is 1 where a message is lost or doubled, or where
the slope of memory, descriptors, threads, tasks, files or latency proves that it grows.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskStatus

from demo.processes import files_of, memory_of, process, threads_of
from deskbus_protocol.client import Client, Message, connect, open_session
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import TestShell, start_shell
from tests.performance.servers.load import FOLDER, ROOT
from tests.performance.trend import MIN_SAMPLES, WARM_UP, Verdict, judge

STEADY = 12
READERS = 4
"""Of the steady clients; every one of them reads all that is said."""
VISITORS = 4
PAYLOAD = "x" * 900
MESSAGES_PER_S = 24
VISITED_PER_S = 4
VISIT_S = (1.0, 5.0)
DISTURBED_EVERY_S = 5.0
CLOCK_READ_EVERY_S = "1"
"""How often a process looks for a step of its clock. At each reading of the clock and each wait for
a lock, as by FAKETIME_NO_CACHE, opening that file took a quarter of the backend's processor time.
"""
STEPS_S = (3600, -3600, 40 * 86_400, -40 * 86_400, 0)
LAST_MESSAGES_S = 60.0
SAMPLES = 60
OUTPUT = ROOT / "build" / "soak"
PATTERN = "soak.#"
STEADY_TOPICS = "soak.steady."
LOG_FOLDER = "messages"
PASSWORD = "a soaked password"

ALLOWED = {
    "memory": (4.0, "MB"),
    "descriptors": (6.0, "descriptors"),
    "threads": (3.0, "threads"),
    "tasks": (6.0, "tasks"),
    "files": (6.0, "files"),
    "latency": (2.0, "ms"),
}
"""By how much a run may end higher than it began, whatever its length, and the unit.

A visitor holds a descriptor and a task or two, and there may be some more of them at the end than
in the beginning; the allocator returns memory late. A leak goes on beyond that.
"""

CONFIG = f"""
[persistence]
topics = ["soak.steady.#"]

[[apps]]
id = "soak.steady"
name = "Steady"
grants = [
    {{ permission = "messaging.read", scope = "soak.#" }},
    {{ permission = "messaging.write", scope = "soak.#" }},
]

[[apps]]
id = "soak.visitor"
name = "Visitor"
declares = [
    {{ permission = "messaging.read", scope = "soak.#" }},
    {{ permission = "messaging.write", scope = "soak.visitor.#" }},
]

[[apps]]
id = "soak.worker"
name = "Worker"
grants = [{{ permission = "messaging.write", scope = "up.#" }}]
restart = {{ when = "on_crash", first_s = 1, longest_s = 2, crashes = 100 }}
process = {{ kind = "node", entry = {str(FOLDER / "loads" / "idle-app.js")!r}, ready = "told" }}
"""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The state at one moment. Counts are from the beginning; the latency is the median of the
    messages since the sample before.
    """

    at_s: float
    memory: float
    descriptors: int
    threads: int
    tasks: int
    files: int
    latency: float
    segments: int
    sent: int
    received: int
    lost: int
    doubled: int
    visits: int
    done: dict[str, int]


class Reader:
    """The last number of each topic, and how long messages took."""

    def __init__(self, times_ms: list[float]) -> None:
        self.last: dict[str, int] = {}
        self.received = 0
        self.lost = 0
        self.doubled = 0
        self._times_ms = times_ms

    async def listen(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            number, sent_s, _ = msgspec.json.decode(message.payload, type=tuple[int, float, str])
            self._times_ms.append((time.monotonic() - sent_s) * 1000)
            self._note(message.topic, number)

    def _note(self, topic: str, number: int) -> None:
        before = self.last.get(topic, number - 1)
        self.received += 1
        # A visitor is cut off in the middle of a publish: that number may never come.
        if topic.startswith(STEADY_TOPICS):
            self.lost += max(0, number - before - 1)
        self.doubled += number <= before
        self.last[topic] = max(before, number)


class Soak:
    """One run: its clients, what they sent and heard, and what was done to the backend."""

    def __init__(self, shell: TestShell, data: Path, clock: Path | None) -> None:
        self._shell = shell
        self._data = data
        self._clock = clock
        self._began = time.monotonic()
        self._ending = False
        self._sent: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._readers: list[Reader] = []
        self._steady: list[Reader] = []
        self._times_ms: list[float] = []
        self._visits = 0
        self._chance = random.Random(0)

    async def run(self, length_s: float) -> list[Sample]:
        samples: list[Sample] = []
        await self._shell.client.call("vault.changePassword", {"newPassword": PASSWORD})
        await self._shell.client.call("apps.launch", {"app": "soak.worker"})
        async with anyio.create_task_group() as tasks:
            for number in range(STEADY):
                await tasks.start(self._stay, f"soak.steady.{number}")
            for number in range(VISITORS):
                tasks.start_soon(self._come_and_go, f"soak.visitor.{number}")
            tasks.start_soon(self._disturb)
            for _ in range(SAMPLES):
                await anyio.sleep(length_s / SAMPLES)
                samples.append(await self._sample())
                _print(samples[-1])
            self._ending = True
            with anyio.move_on_after(LAST_MESSAGES_S):
                while self._missing():
                    await anyio.sleep(0.05)
            samples.append(await self._sample(self._missing()))
            _print(samples[-1])
            tasks.cancel_scope.cancel()
        return samples

    async def _stay(self, topic: str, *, task_status: TaskStatus[None]) -> None:
        """Publishes without waiting for answers, and some read, until it is cancelled."""
        client_name = topic.replace(".", "-")
        async with (
            self._shell.app("soak.steady", client_name, honest=False) as client,
            anyio.create_task_group() as tasks,
        ):
            if len(self._steady) < READERS:
                await tasks.start(self._read, client)
            task_status.started()
            while not self._ending:
                await client.publish(topic, self._next(topic))
                await anyio.sleep(1 / MESSAGES_PER_S)
            await anyio.sleep_forever()

    async def _read(self, client: Client, *, task_status: TaskStatus[None]) -> None:
        reader = self._reader()
        self._steady.append(reader)
        async with client.subscribe(PATTERN) as messages:
            task_status.started()
            await reader.listen(messages)

    async def _come_and_go(self, topic: str) -> None:
        chance = random.Random(topic)
        grant = {"app": "soak.visitor", "permission": "messaging.write", "scope": topic}
        while not self._ending:
            await self._decide("permissions.grant", grant)
            await self._decide("permissions.grant", {**grant, **READING})
            with anyio.move_on_after(chance.uniform(*VISIT_S)):
                await self._visit(topic, leaves=chance.random() < 0.5)
            await self._decide("permissions.revoke", grant)
            self._done["grants and revocations"] += 1

    async def _decide(self, method: str, params: dict[str, str]) -> None:
        """The decision stands in any case; a disk that is slow meanwhile is told."""
        try:
            await self._shell.client.call(method, params)
        except DeskbusError as error:
            self._done[f"{method}: {error.kind.name}"] += 1

    async def _visit(self, topic: str, *, leaves: bool) -> None:
        """Publishes, waiting for each answer, and reads; then leaves, or is cut off."""
        reader = self._reader()
        self._visits += 1
        name = topic.rpartition(".")[2]
        ticket = await self._shell.ticket("soak.visitor", name)
        async with connect(self._shell.hello.pipe) as client:
            opened = await open_session(client, ticket, "soak.visitor", resume=True)
            self._done["reconnects that resumed"] += opened.resumed
            async with client.subscribe(PATTERN) as messages, anyio.create_task_group() as tasks:
                tasks.start_soon(reader.listen, messages)
                try:
                    await self._publish(client, topic)
                finally:
                    if leaves:
                        with anyio.CancelScope(shield=True), anyio.move_on_after(LAST_MESSAGES_S):
                            await client.call("session.leave", {})

    async def _publish(self, client: Client, topic: str) -> None:
        while not self._ending:
            await client.publish(topic, self._next(topic), confirm=True)
            await anyio.sleep(1 / VISITED_PER_S)

    async def _disturb(self) -> None:
        """Something else each time."""
        kinds = [self._crash_worker, self._rotate_keys, self._step_clock, self._read_back]
        at = 0
        while not self._ending:
            await anyio.sleep(DISTURBED_EVERY_S)
            await kinds[at % len(kinds)]()
            at += 1

    async def _crash_worker(self) -> None:
        for app in (await self._shell.client.call("apps.stats", {}, result=dict))["apps"]:
            if app["app"] == "soak.worker" and app["state"] == "ready":
                os.kill(app["pid"], signal.SIGKILL)
                self._done["crashes"] += 1
            elif app["app"] == "soak.worker" and app["state"] in ("failed", "crashed", "stopped"):
                await self._shell.client.call("apps.launch", {"app": "soak.worker"})

    async def _rotate_keys(self) -> None:
        await self._shell.client.call("vault.rotate", {})
        self._done["key rotations"] += 1

    async def _step_clock(self) -> None:
        if self._clock is not None:
            step_s = STEPS_S[self._done["clock steps"] % len(STEPS_S)]
            fresh = self._clock.with_suffix(".new")
            fresh.write_text(f"{step_s:+d}")
            fresh.replace(self._clock)
            self._done["clock steps"] += 1

    async def _read_back(self) -> None:
        """As a panel does: the log, the audit trail, an export."""
        with_limit = {"pattern": "soak.steady.#", "limit": 100}
        for method, params in (("bus.query", with_limit), ("audit.query", {}), ("health.get", {})):
            try:
                await self._shell.client.call(method, params)
            except DeskbusError as error:
                self._done[f"{method}: {error.kind.name}"] += 1
        self._done["looks back"] += 1

    def _reader(self) -> Reader:
        reader = Reader(self._times_ms)
        self._readers.append(reader)
        return reader

    def _next(self, topic: str) -> tuple[int, float, str]:
        self._sent[topic] += 1
        return self._sent[topic], time.monotonic(), PAYLOAD

    def _missing(self) -> int:
        """How many messages of steady clients have not reached the end of a steady one's stream."""
        return sum(
            count - reader.last.get(topic, 0)
            for reader in self._steady
            for topic, count in self._sent.items()
            if topic.startswith(STEADY_TOPICS)
        )

    async def _sample(self, missing: int = 0) -> Sample:
        running = process(self._shell.process.pid)
        assert running is not None
        metrics = await self._shell.client.call("metrics.get", {}, result=dict)
        (tasks,) = (f for f in metrics["metrics"] if f["name"] == "deskbus_event_loop_tasks")
        times, self._times_ms[:] = sorted(self._times_ms), []
        files = [path for path in self._data.rglob("*") if path.is_file()]
        segments = sum(path.parent.name == LOG_FOLDER for path in files)
        return Sample(
            at_s=time.monotonic() - self._began,
            memory=(memory_of(running) or 0) / 1e6,
            descriptors=files_of(running) or 0,
            threads=threads_of(running) or 0,
            tasks=int(tasks["samples"][0]["value"]),
            files=len(files) - segments,
            latency=times[len(times) // 2] if times else 0.0,
            segments=segments,
            sent=self._sent.total(),
            received=sum(reader.received for reader in self._readers),
            lost=missing + sum(reader.lost for reader in self._steady),
            doubled=sum(reader.doubled for reader in self._steady),
            visits=self._visits,
            done=dict(self._done),
        )


READING = {"permission": "messaging.read", "scope": PATTERN}


def verdicts(samples: Sequence[Sample]) -> dict[str, Verdict]:
    """One for each quantity in `ALLOWED`."""
    # The last sample is taken when traffic has ended.
    times = [sample.at_s for sample in samples[:-1]]
    return {
        name: judge(
            times,
            [getattr(sample, name) for sample in samples[:-1]],
            allowed_rise=allowed,
            unit=unit,
        )
        for name, (allowed, unit) in ALLOWED.items()
    }


def find_faults(samples: Sequence[Sample], judged: dict[str, Verdict]) -> list[str]:
    """Faults of the run, each in words; none where all is well."""
    faults = [f"{name} grows: {found.words}" for name, found in judged.items() if found.grows]
    last = samples[-1]
    if last.lost:
        faults.append(f"{last.lost} messages were lost")
    if last.doubled:
        faults.append(f"{last.doubled} messages came twice")
    return faults


@contextmanager
def steppable_clock(folder: Path) -> Iterator[Path | None]:
    """A file with the step of the wall clock of what is started now; None without faketime."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        yield None
        return
    file = folder / "clock"
    file.write_text("+0")
    set_here = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": CLOCK_READ_EVERY_S,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    os.environ.update(set_here)
    try:
        yield file
    finally:
        for name in set_here:
            del os.environ[name]


async def soak(length_s: float) -> list[Sample]:
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        with steppable_clock(Path(folder)) as clock:
            data = Path(folder) / "data"
            try:
                async with start_shell(data, config=CONFIG, consent="ask") as shell:
                    return await Soak(shell, data, clock).run(length_s)
            finally:
                OUTPUT.mkdir(parents=True, exist_ok=True)
                shutil.copy(data / "stderr.log", OUTPUT / "backend.log")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(arguments)
    samples = anyio.run(soak, options.minutes * 60)
    judged = verdicts(samples)
    report: dict[str, Any] = {"samples": samples, "verdicts": judged}
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "results.json").write_bytes(msgspec.json.encode(report) + b"\n")
    for name, verdict in judged.items():
        print(f"{name:12} {verdict.words}")
    print(", ".join(f"{count} {name}" for name, count in samples[-1].done.items()))
    faults = find_faults(samples, judged)
    for fault in faults:
        print(f"FAILED: {fault}")
    if not faults:
        print("Nothing lost, nothing doubled, no growth.")
    return 1 if faults else 0


def _print(sample: Sample) -> None:
    print(
        f"{sample.at_s:7.0f} s  {sample.memory:6.1f} MB  {sample.descriptors:3} fds  "
        f"{sample.threads:2} threads  {sample.tasks:3} tasks  {sample.files:3} files  "
        f"{sample.latency:6.2f} ms  {sample.segments:3} segments  {sample.sent:9,} sent  "
        f"{sample.lost} lost  {sample.doubled} doubled  {sample.visits:5,} visits",
        flush=True,
    )


assert SAMPLES * (1 - WARM_UP) > MIN_SAMPLES


if __name__ == "__main__":
    sys.exit(main())
