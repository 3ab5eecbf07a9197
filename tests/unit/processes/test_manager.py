"""A run of an app that has ended leaves nothing of itself behind."""

import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import Mock

import anyio
import pytest

from deskbus.processes.manager import ProcessIsolationManager
from deskbus.processes.ports import AppPorts
from deskbus.processes.runtime import process_run
from deskbus.processes.runtime.process_starter import ProcessStarter
from deskbus.processes.runtime.spawn import Program
from deskbus.processes.spec import AppSpec, ProcessSpec
from deskbus.processes.system.resource_group import NoResourceGroups
from deskbus_protocol.apps import AppStatus
from tests.support.audit_trail import FakeTrail

APP = "app.brief"
WARM_UP, TIMES, SLACK = 10, 50, 20


class RunningManager:
    def __init__(self, folder: Path) -> None:
        self.over = anyio.Event()
        self.trail = FakeTrail()
        program = Program("python", "-c", ("print('hello')",), folder, {})
        spec = AppSpec(APP, "Brief", (), ProcessSpec(program))
        self.apps = ProcessIsolationManager(
            [spec],
            AppPorts(
                windows=Mock(),
                trail=self.trail,
                renderers=Mock(of=lambda _: []),
                bus_limit=Mock(excess_per_s=lambda _: (0.0, 0.0)),
                tell_app=_nobody,
                on_changed=self._changed,
            ),
            ProcessStarter(
                mint=lambda _: "ticket",
                reveal=_as_it_is,
                trail=self.trail,
                resource_groups=NoResourceGroups(),
                forker=Mock(),
                log_dir=folder,
            ),
        )

    def _changed(self, status: AppStatus) -> None:
        if status.state == "stopped":
            self.over.set()

    async def run_once(self, *, terminate: bool) -> None:
        self.over = anyio.Event()
        await self.apps.launch(APP, lambda _: None)
        if terminate:
            await self.apps.terminate(APP)
        with anyio.fail_after(30):
            await self.over.wait()
        self.trail.noted.clear()


async def _as_it_is(env: dict[str, str]) -> dict[str, str]:
    return env


def _nobody(app: str, *, method: str, params: object) -> bool:
    """Takes what an app is told."""
    return True


@asynccontextmanager
async def running_manager(folder: Path) -> AsyncIterator[RunningManager]:
    built = RunningManager(folder)
    async with built.apps.running():
        yield built


def live_objects() -> Counter[str]:
    return Counter(
        f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects()
    )


async def test_a_run_that_ended_leaves_no_object_behind(
    tmp_path: Path, leak_rounds: Callable[[int], int]
) -> None:
    async with running_manager(tmp_path) as running:
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            for number in range(WARM_UP):
                await running.run_once(terminate=bool(number % 2))
            # Counting for the first time fills caches of its own.
            live_objects()
            before = live_objects()
            for number in range(leak_rounds(TIMES)):
                await running.run_once(terminate=bool(number % 2))
            more = live_objects() - before
            grown = {name: count for name, count in more.items() if count > SLACK}
            assert grown == {}
        finally:
            gc.enable()
            gc.unfreeze()


@pytest.mark.requirement("4.2")
async def test_a_fault_while_one_app_is_watched_or_measured_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does anybody wait for ever for the end of that one."""
    measured = anyio.Event()

    async def fails(*_: object) -> None:
        measured.set()
        raise LookupError("a fault that nobody thought of")

    monkeypatch.setattr(ProcessIsolationManager, "_measure", fails)
    async with running_manager(tmp_path) as running:
        with anyio.fail_after(30):
            await running.apps.launch(APP, lambda _: None)
            await measured.wait()
            with monkeypatch.context() as broken:
                broken.setattr(process_run, "judge_end", Mock(side_effect=LookupError("and here")))
                await running.apps.terminate(APP)
            status = await running.apps.launch(APP, lambda _: None)
            assert isinstance(status.pid, int)
