"""An app's output: kept, rotated, private, and not faster than it may be."""

import os
import stat
from pathlib import Path

import anyio
import pytest

from deskbus.processes.runtime.app_logs import (
    BURST_S,
    LINE_CHARACTERS,
    TAIL_LINES,
    UNWRITTEN_BYTES,
    AppLogFile,
    LogCapture,
)
from tests.support.clocks import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def capture(folder: Path, clock: ManualClock, bytes_per_s: int = 1000) -> LogCapture:
    return LogCapture(AppLogFile(folder / "app.log"), bytes_per_s, clock)


async def test_lines_go_to_a_private_file_and_the_last_are_remembered(
    tmp_path: Path, clock: ManualClock
) -> None:
    taken = capture(tmp_path, clock, 1_000_000)
    for number in range(100):
        assert await taken.add(b"line %d\n" % number)
    await taken.add(b"half \x1b[31ma line\x00")
    file = tmp_path / "app.log"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b"line 0\nline 1\n")
    assert len(taken.tail) == TAIL_LINES
    assert taken.tail[-2:] == ["line 99", "half  [31ma line"]


async def test_what_is_too_much_is_dropped_counted_and_told(
    tmp_path: Path, clock: ManualClock
) -> None:
    taken = capture(tmp_path, clock)
    assert await taken.add(b"x" * int(1000 * BURST_S))
    assert not await taken.add(b"y" * 700)
    assert not await taken.add(b"z" * 700)
    clock.now_s += 2
    assert taken.excess_per_s() == pytest.approx((1000 * BURST_S + 1400) / 2)
    assert await taken.add(b"again\n")
    assert taken.excess_per_s() == 0
    written = (tmp_path / "app.log").read_bytes()
    assert b"[deskbus: 1400 bytes dropped, this app writes too much]\nagain\n" in written
    assert b"y" * 10 not in written


async def test_an_endless_line_takes_no_memory(tmp_path: Path, clock: ManualClock) -> None:
    taken = capture(tmp_path, clock, 10_000_000)
    for _ in range(100):
        await taken.add(b"x" * 65_536)
    assert [len(line) for line in taken.tail] == [LINE_CHARACTERS]


def test_files_rotate_and_the_oldest_goes(tmp_path: Path) -> None:
    file = AppLogFile(tmp_path / "app.log", file_bytes=100, files=3)
    for number in range(10):
        file.append(b"%d" % number * 60)
    kept = {path.name: path.read_bytes()[:1] for path in tmp_path.iterdir()}
    assert kept == {"app.log": b"9", "app.log.1": b"8", "app.log.2": b"7"}


async def test_a_file_that_hangs_holds_nobody_and_is_told(
    tmp_path: Path, clock: ManualClock
) -> None:
    # Nobody reads the fifo, so opening it waits.
    os.mkfifo(tmp_path / "app.log")
    taken = capture(tmp_path, clock, 10_000_000)
    with anyio.fail_after(10):
        assert await taken.add(b"held up\n")
        assert taken.problem
        for _ in range(UNWRITTEN_BYTES // 65_536 + 1):
            assert await taken.add(b"x" * 65_536)
    assert "dropped" in taken.problem
    # Lets the thread end.
    os.close(os.open(tmp_path / "app.log", os.O_RDONLY | os.O_NONBLOCK))


async def test_a_file_that_can_not_be_written_is_told_until_it_can(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "app.log").symlink_to("/dev/full")
    taken = capture(tmp_path, clock, 10_000)
    assert await taken.add(b"lost\n")
    assert "space" in taken.problem
    (tmp_path / "app.log").unlink()
    assert await taken.add(b"kept\n")
    assert not taken.problem
