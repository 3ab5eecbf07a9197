"""Faults on purpose: real ones, one at a time, and taken back in any case."""

import os
import sys
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from deskbus.reliability.fault_injector import FaultInjector
from deskbus_protocol.errors import CONFLICT, UNAVAILABLE, DeskbusError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX's")


async def lock_vault() -> None:
    raise AssertionError("the vault is not to be locked")


@pytest.fixture
def injector() -> FaultInjector:
    return FaultInjector(apps=list, watchdog=list, lock_vault=lock_vault, has_shell=lambda: False)


def opened() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True


async def until(wanted: bool) -> None:
    with anyio.fail_after(10):
        while opened() != wanted:
            await anyio.sleep(0.01)


async def test_nothing_can_be_opened_while_descriptors_are_out_and_then_it_can(
    injector: FaultInjector,
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(injector.cause, "no-descriptors", 0.3)
        await until(False)
        await until(True)


async def test_files_stop_growing_while_the_disk_is_full(
    injector: FaultInjector, tmp_path: Path
) -> None:
    def grows() -> bool:
        try:
            (tmp_path / "file").write_bytes(b"0" * 100_000)
        except OSError:
            return False
        return True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(injector.cause, "disk-full", 0.3)
        with anyio.fail_after(10):
            while grows():
                await anyio.sleep(0.01)
            while not grows():
                await anyio.sleep(0.01)


async def test_a_fault_ends_in_time_also_where_its_caller_has_gone(
    injector: FaultInjector,
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(injector.cause, "no-descriptors", 0.3)
        await until(False)
        tasks.cancel_scope.cancel()
    assert opened()


async def test_one_fault_lasts_at_a_time(injector: FaultInjector) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(injector.cause, "disk-full", 0.3)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeskbusError) as refused:
            await injector.cause("no-descriptors", 0.3)
        assert refused.value.kind is CONFLICT
    assert opened()


@pytest.mark.parametrize("fault", ["shell-stall", "app-killed", "watchdog-killed"])
async def test_what_is_not_there_can_not_fail(injector: FaultInjector, fault: str) -> None:
    with pytest.raises(DeskbusError) as refused:
        await injector.cause(fault, 0.1)  # type: ignore[arg-type]
    assert refused.value.kind is UNAVAILABLE


async def test_the_parent_that_took_over_from_the_shell_is_not_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    injector = FaultInjector(
        apps=list, watchdog=list, lock_vault=lock_vault, has_shell=lambda: True
    )
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    monkeypatch.setattr(os, "getppid", lambda: 1)
    with pytest.raises(DeskbusError) as refused:
        await injector.cause("shell-stall", 0.1)
    assert refused.value.kind is UNAVAILABLE
    assert killed == []


async def test_the_loop_stands_still(injector: FaultInjector) -> None:
    beats: list[float] = []

    async def beat() -> None:
        while True:
            beats.append(anyio.current_time())
            await anyio.sleep(0.01)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beat)
        await anyio.sleep(0.05)
        await injector.cause("loop-stall", 0.3)
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
    gaps = [after - before for before, after in pairwise(beats)]
    assert max(gaps) >= 0.3
