"""Faults of a machine, one after the other, amid traffic: `python -m tests.performance.faults`.

For `make chaos`. Each is done to the real backend from outside, by what the system itself offers:
signals, limits of the running process, the wall clock. Meanwhile durable messages are published and
read; after each fault the same has to hold: all that was acknowledged is in the log and was heard,
once and in order; the backend is the same process, well again, and holds no more descriptors.
"""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from demo.processes import Process, command_of, descendants, files_of, process
from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import TestShell, start_shell
from tests.performance.servers.load import FOLDER, ROOT
from tests.performance.soak import steppable_clock

TOPIC = "chaos.kept"
LASTS_S = 3.0
WELL_WITHIN_S = 45.0
CALL_WITHIN_S = 20.0
POLL_S = 0.05
BEFORE_S = 0.5
MORE_DESCRIPTORS = 6
FILE_BYTES = 4096
HEADROOM_BYTES = 4 * 1024 * 1024
STEP_S = 40 * 86_400
PASSWORD = "a password amid chaos"
OUTPUT = ROOT / "build" / "chaos"

CONFIG = f"""
[persistence]
topics = ["chaos.#"]

[[apps]]
id = "chaos.worker"
name = "Worker"
grants = [{{ permission = "messaging.write", scope = "up.#" }}]
restart = {{ when = "on_crash", first_s = 1, longest_s = 2, crashes = 100 }}
process = {{ kind = "node", entry = {str(FOLDER / "loads" / "idle-app.js")!r}, ready = "told" }}
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`well_s` is the time from the fault's end until all held again."""

    fault: str
    refused: int
    acknowledged: int
    well_s: float
    faults: list[str]


class Traffic:
    """Numbered durable messages: which were acknowledged, and which were heard."""

    def __init__(self) -> None:
        self.acknowledged: set[int] = set()
        self.heard: list[int] = []
        self.refused = 0
        self._next = 0

    async def publish(self, feed: Client) -> None:
        """Until it is cancelled; what is refused is not taken for acknowledged."""
        while True:
            await self.publish_one(feed)
            await anyio.sleep(POLL_S / 5)

    async def publish_one(self, feed: Client) -> bool:
        self._next += 1
        number = self._next
        try:
            with anyio.fail_after(CALL_WITHIN_S):
                await feed.publish(TOPIC, number, durable=True, confirm=True)
        except (DeskbusError, TimeoutError):
            self.refused += 1
            return False
        self.acknowledged.add(number)
        return True

    async def listen(self, reader: Client) -> None:
        async with reader.subscribe(TOPIC) as messages:
            async for message in messages:
                self.heard.append(int(msgspec.json.decode(message.payload)))


class Machine:
    """The backend, and what is done to it."""

    def __init__(self, shell: TestShell, clock: Path | None) -> None:
        self.shell = shell
        self.pid = shell.process.pid
        self._clock = clock
        self.faults: dict[str, Callable[[], Awaitable[None]]] = {
            "the loop stands still": self._stall,
            "no descriptor is left": lambda: self._limited(resource.RLIMIT_NOFILE, self.files()),
            "files can't grow": lambda: self._limited(resource.RLIMIT_FSIZE, FILE_BYTES),
            "no memory is left": self._memory,
            "the keys are locked": self._lock,
            "an app is killed": self._kill_app,
            "the watchdog is killed": self._kill_watchdog,
        }
        if clock is not None:
            self.faults["the clock steps forward"] = lambda: self._step(STEP_S)
            self.faults["the clock steps back"] = lambda: self._step(-STEP_S)

    def files(self) -> int:
        running = process(self.pid)
        return (running and files_of(running)) or 0

    async def _stall(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        try:
            await anyio.sleep(LASTS_S)
        finally:
            os.kill(self.pid, signal.SIGCONT)

    async def _limited(self, limit: int, to: int) -> None:
        soft, hard = resource.prlimit(self.pid, limit)
        resource.prlimit(self.pid, limit, (to, hard))
        try:
            await anyio.sleep(LASTS_S)
        finally:
            resource.prlimit(self.pid, limit, (soft, hard))

    async def _memory(self) -> None:
        held = int(Path(f"/proc/{self.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        await self._limited(resource.RLIMIT_AS, held + HEADROOM_BYTES)

    async def _lock(self) -> None:
        await self.shell.client.call("vault.lock", {})
        await anyio.sleep(LASTS_S)
        await self.shell.client.call("vault.unlock", {"password": PASSWORD})

    async def _kill_app(self) -> None:
        for app in (await self.shell.client.call("apps.stats", {}, result=dict))["apps"]:
            if app.get("pid"):
                os.kill(app["pid"], signal.SIGKILL)
        await anyio.sleep(LASTS_S)

    def watchdogs(self) -> list[Process]:
        backend = process(self.pid)
        assert backend is not None
        below = descendants(backend)
        return [each for each in below if any("watchdog" in word for word in command_of(each))]

    async def _kill_watchdog(self) -> None:
        for watchdog in self.watchdogs():
            watchdog.kill()
        await anyio.sleep(LASTS_S)

    async def _step(self, by_s: int) -> None:
        assert self._clock is not None
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{by_s:+d}")
        fresh.replace(self._clock)
        await anyio.sleep(LASTS_S)


def find_faults(acknowledged: set[int], heard: Sequence[int], stored: Sequence[int]) -> list[str]:
    """Faults of messages: numbers in the order in which they came."""
    faults = []
    for name, numbers in (("heard", heard), ("in the log", stored)):
        missing = acknowledged - set(numbers)
        if missing:
            faults.append(f"{len(missing)} acknowledged messages were not {name}")
        if len(set(numbers)) < len(numbers):
            faults.append(f"{len(numbers) - len(set(numbers))} messages were {name} twice")
        if list(numbers) != sorted(numbers):
            faults.append(f"messages were {name} out of order")
    return faults


async def stored(shell: TestShell) -> list[int]:
    """The numbers in the log."""
    found: list[int] = []
    while True:
        query = {"pattern": TOPIC, "fromSeq": len(found) + 1, "limit": 10_000}
        answer = await shell.client.call("bus.query", query, result=dict)
        found += [message["payload"] for message in answer["messages"]]
        if not answer.get("more"):
            return found


async def wrong(machine: Machine, traffic: Traffic, feed: Client, descriptors: int) -> list[str]:
    """Promises that do not hold now."""
    if machine.shell.process.returncode is not None:
        return ["the backend has ended"]
    if not await traffic.publish_one(feed):
        return ["a durable publish is refused"]
    health = await machine.shell.client.call("health.get", {}, result=dict)
    faults = [
        f"{name} is {found['status']}: {found.get('detail', '')}"
        for name, found in health["components"].items()
        if found["status"] not in ("ok", "off") and name not in EXPECTED
    ]
    if not machine.watchdogs():
        faults.append("no watchdog is there")
    if machine.files() > descriptors + MORE_DESCRIPTORS:
        faults.append(f"{machine.files()} descriptors, {descriptors} before")
    return faults + find_faults(traffic.acknowledged, traffic.heard, await stored(machine.shell))


EXPECTED = {"shell", "eventLoop", "disk"}
"""Components that tell of the machine, or of this test's shell, rather than of the backend."""


@asynccontextmanager
async def traffic_of(shell: TestShell, traffic: Traffic) -> AsyncIterator[Client]:
    async with (
        shell.app("chaos.feed", honest=False) as feed,
        shell.app("chaos.reader", honest=False) as reader,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(traffic.listen, reader)
        await anyio.sleep(BEFORE_S)
        tasks.start_soon(traffic.publish, feed)
        yield feed
        tasks.cancel_scope.cancel()


async def run(only: str) -> list[Report]:
    reports = []
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        steppable_clock(Path(folder)) as clock,
    ):
        async with start_shell(Path(folder) / "data", config=CONFIG, consent="allow") as shell:
            await shell.client.call("vault.changePassword", {"newPassword": PASSWORD})
            await shell.client.call("apps.launch", {"app": "chaos.worker"})
            machine, traffic = Machine(shell, clock), Traffic()
            async with traffic_of(shell, traffic) as feed:
                for name, happen in machine.faults.items():
                    if only in name:
                        reports.append(await one(name, happen, machine, traffic, feed))
                        print(line(reports[-1]), flush=True)
    return reports


async def one(
    name: str,
    happen: Callable[[], Awaitable[None]],
    machine: Machine,
    traffic: Traffic,
    feed: Client,
) -> Report:
    await anyio.sleep(BEFORE_S)
    refused, acknowledged, descriptors = traffic.refused, len(traffic.acknowledged), machine.files()
    await happen()
    ended = time.monotonic()
    faults = ["it was not looked at"]
    while faults and time.monotonic() - ended < WELL_WITHIN_S:
        faults = await wrong(machine, traffic, feed, descriptors)
        await anyio.sleep(POLL_S)
    return Report(
        fault=name,
        refused=traffic.refused - refused,
        acknowledged=len(traffic.acknowledged) - acknowledged,
        well_s=time.monotonic() - ended,
        faults=faults,
    )


def line(report: Report) -> str:
    verdict = "; ".join(report.faults) or f"well after {report.well_s:.1f} s"
    counts = f"{report.acknowledged:5} acknowledged, {report.refused:3} refused"
    return f"{report.fault:24} {counts}, {verdict}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.faults")
    parser.add_argument("--only", default="", help="a part of the name of the faults to make")
    options = parser.parse_args(arguments)
    reports = anyio.run(run, options.only)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "results.json").write_bytes(msgspec.json.encode(reports) + b"\n")
    return 1 if any(report.faults for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
