"""The thread that writes the log: the number of events that wait while the disk fails."""

import errno
import threading
from pathlib import Path

import anyio.to_thread
import msgspec
import pytest

from deskbus.audit.format.record import Stamped
from deskbus.audit.write import group_commit_writer as module
from deskbus.audit.write.group_commit_writer import CommittedGroup, GroupCommitWriter
from deskbus.audit.write.recovery import Opening
from tests.unit.audit.rig import Rig, event

LIMIT_S = 20
ROOM = 5
TRIES = 4


@pytest.mark.requirement("8.4")
async def test_events_whose_group_the_disk_refuses_take_the_room_of_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are told while each attempt to open the log is under way."""
    monkeypatch.setattr(module, "MAX_WAITING", ROOM)
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    rig = Rig(tmp_path / "audit")
    lines: list[bytes] = []
    told = tries = 0

    def tell() -> None:
        nonlocal told
        for _ in range(ROOM):
            writer.put(Stamped(event(0, told), rig.clock.now_ms(), rig.clock.mono_us()))
            told += 1

    def open_ledger() -> Opening:
        nonlocal tries
        tries += 1
        if tries <= TRIES:
            tell()
            rig.clock.pass_ms(1000)
            raise OSError(errno.ENOSPC, "no room")
        return rig.open()

    def on_written(group: CommittedGroup) -> None:
        lines.extend(group.lines)
        if group.lines:
            written.set()

    writer = GroupCommitWriter(
        open_ledger, rig.clock, on_written=on_written, on_state=lambda *_: None
    )
    written = threading.Event()
    tell()
    writer.start()
    assert await anyio.to_thread.run_sync(written.wait, LIMIT_S)
    await anyio.to_thread.run_sync(writer.close, LIMIT_S)
    kinds = [msgspec.json.decode(line)["type"] for line in lines]
    assert kinds.count("violation") == ROOM
    (dropped,) = [line for line, kind in zip(lines, kinds, strict=True) if kind == "audit.dropped"]
    assert msgspec.json.decode(dropped)["count"] == told - ROOM == TRIES * ROOM


@pytest.mark.requirement("8.4")
async def test_events_beyond_what_waits_for_a_slow_disk_are_told_by_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk never fails: the log is not opened again."""
    monkeypatch.setattr(module, "MAX_WAITING", ROOM)
    rig = Rig(tmp_path / "audit")
    lines: list[bytes] = []
    told = threading.Event()

    def put(count: int) -> None:
        for at in range(count):
            writer.put(Stamped(event(0, at), rig.clock.now_ms(), rig.clock.mono_us()))

    def on_written(group: CommittedGroup) -> None:
        if group.lines and not lines:
            put(2 * ROOM)
        lines.extend(group.lines)
        if any(b'"type":"audit.dropped"' in line for line in group.lines):
            told.set()

    writer = GroupCommitWriter(rig.open, rig.clock, on_written=on_written, on_state=lambda *_: None)
    put(1)
    writer.start()
    assert await anyio.to_thread.run_sync(told.wait, LIMIT_S)
    await anyio.to_thread.run_sync(writer.close, LIMIT_S)
    kinds = [msgspec.json.decode(line)["type"] for line in lines]
    counts = [msgspec.json.decode(line).get("count", 0) for line in lines]
    assert kinds.count("violation") + sum(counts) == 1 + 2 * ROOM
    assert kinds.count("audit.dropped") == 1
