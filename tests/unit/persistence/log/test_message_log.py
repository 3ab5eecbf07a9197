"""The log keeps what it was given over restarts, and removes what is too old."""

import errno
from pathlib import Path

import pytest

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.log.message_log import MessageLog, Statistics
from deskbus.persistence.log.retention import MAX_AGE_MS, LogRetention
from deskbus.storage.folder_lock import FolderBusyError
from tests.unit.persistence.rig import (
    NOW_MS,
    SMALL_SEGMENT,
    Disk,
    files_of,
    lines,
    message,
    numbered,
    opened,
    read,
    reopened,
    seqs,
    write,
)


@pytest.mark.requirement("2.2")
@pytest.mark.parametrize("compress", [False, True])
def test_a_log_goes_on_after_a_restart_where_it_ended(tmp_path: Path, compress: bool) -> None:
    log = opened(tmp_path, compress=compress)
    write(log, numbered("a", 1, 3), numbered("b", 1, 1))
    log = reopened(log)
    assert (log.position, log.last_seqs()) == (4, {"a": 3, "b": 1})
    write(log, numbered("a", 4, 5), sync=True)
    log = reopened(log)
    assert read(log) == lines([*numbered("a", 1, 3), *numbered("b", 1, 1), *numbered("a", 4, 5)])
    assert len(files_of(tmp_path)) == 1
    log.close()


@pytest.mark.requirement("2.3")
@pytest.mark.usefixtures("small_segments")
def test_a_full_segment_is_closed_and_synced_and_the_next_begun(tmp_path: Path) -> None:
    disk = Disk()
    log = opened(tmp_path, files=disk)
    for seq in range(1, 21):
        write(log, numbered("a", seq, seq))
    assert all(path.stat().st_size <= SMALL_SEGMENT for path in files_of(tmp_path))
    segments = len(files_of(tmp_path))
    assert segments > 2
    assert disk.done.count("sync_folder") == segments
    assert disk.done.count("sync") == segments - 1
    log.close()
    log = opened(tmp_path)
    assert seqs(read(log)) == list(range(1, 21))
    assert [int(path.stem) for path in files_of(tmp_path)][1] > 0
    log.close()


@pytest.mark.requirement("2.3")
@pytest.mark.usefixtures("small_segments")
def test_old_segments_are_removed_while_the_log_grows(tmp_path: Path) -> None:
    log = opened(tmp_path, retention=LogRetention(max_segments=3))
    for seq in range(1, 41):
        write(log, numbered("a", seq, seq))
    assert len(files_of(tmp_path)) == log.statistics().segments == 3
    left = seqs(read(log))
    assert left == list(range(left[0], 41))
    assert len(list(tmp_path.glob("*.idx"))) == 2
    log.close()


@pytest.mark.requirement("2.3")
def test_what_has_become_too_old_is_removed_and_positions_go_on(tmp_path: Path) -> None:
    now_ms = NOW_MS
    log = MessageLog(tmp_path, clock_ms=lambda: now_ms)
    log.open()
    write(log, numbered("a", 1, 3))
    now_ms += MAX_AGE_MS + 1
    log.retain()
    assert log.statistics() == Statistics(
        segments=1, size_bytes=0, messages=0, oldest_ms=None, newest_ms=None, findings=0
    )
    log.close()
    log.open()
    assert log.position == 3
    write(log, [message("a", 4, now_ms)])
    assert seqs(read(log)) == [4]
    log.close()


def test_a_segment_that_can_t_be_removed_does_not_stop_the_writing(tmp_path: Path) -> None:
    disk = Disk()
    disk.failing["remove"] = errno.EACCES
    log = opened(tmp_path, files=disk)
    write(log, [message("a", 1, NOW_MS - MAX_AGE_MS - 1)])
    log.retain()
    write(log, numbered("a", 2, 2))
    assert seqs(read(log)) == [2]
    log.close()


@pytest.mark.requirement("2.5")
@pytest.mark.usefixtures("small_segments")
def test_a_query_opens_only_the_segments_that_may_hold_an_answer(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for seq in range(1, 41):
        write(log, [message("late" if seq > 35 else "early", seq, NOW_MS + seq)])
    assert seqs(read(log, LogQuery(from_ms=NOW_MS + 3, to_ms=NOW_MS + 6))) == [3, 4, 5]
    for path in files_of(tmp_path)[:-2]:
        # Opening a folder as a file is an error, which would be reported.
        path.unlink()
        path.mkdir()
    assert seqs(read(log, LogQuery(from_ms=NOW_MS + 39))) == [39, 40]
    assert seqs(read(log, LogQuery(wants="late".__eq__, limit=2))) == [36, 37]
    assert seqs(read(log, LogQuery(from_position=38))) == [39, 40]
    assert log.findings == []
    read(log)
    assert len(log.findings) == len(files_of(tmp_path)) - 2
    log.close()


@pytest.mark.requirement("2.2")
def test_blocks_say_where_to_go_on(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for first in range(1, 10_000, 100):
        write(log, numbered("a", first, first + 99))
    position = 0
    found: list[int] = []
    for block in log.read(LogQuery()):
        found += seqs(block.lines)
        assert block.next_position == len(found)
        position = block.next_position
    assert found == list(range(1, 10_001))
    assert position == log.position
    rest = read(log, LogQuery(from_position=4321, to_position=4330))
    assert seqs(rest) == list(range(4322, 4331))
    *_, last = log.read(LogQuery(from_position=4321, limit=5))
    assert (seqs(last.lines), last.next_position) == (list(range(4322, 4327)), 4326)
    log.close()


def test_a_reader_sees_what_was_complete_when_it_began(tmp_path: Path) -> None:
    log = opened(tmp_path)
    write(log, numbered("a", 1, 3))
    blocks = log.read(LogQuery())
    write(log, numbered("a", 4, 6))
    assert seqs(b"".join(block.lines for block in blocks)) == [1, 2, 3]
    assert seqs(read(log)) == [1, 2, 3, 4, 5, 6]
    log.close()


@pytest.mark.usefixtures("small_segments")
def test_a_segment_that_is_removed_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for seq in range(1, 21):
        write(log, numbered("a", seq, seq))
    blocks = log.read(LogQuery())
    first, *_ = files_of(tmp_path)
    kept = int(files_of(tmp_path)[1].stem)
    first.unlink()
    assert seqs(b"".join(block.lines for block in blocks)) == list(range(kept + 1, 21))
    log.close()


def test_read_only_changes_nothing_and_needs_no_lock(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    write(writer, numbered("a", 1, 2))
    (path,) = files_of(tmp_path)
    with path.open("ab") as file:
        file.write(b"torn")
    size = path.stat().st_size
    reader = MessageLog(tmp_path, clock_ms=lambda: NOW_MS + 2 * MAX_AGE_MS)
    reader.open(read_only=True)
    assert seqs(read(reader)) == [1, 2]
    reader.close()
    assert path.stat().st_size == size
    writer.close()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(FolderBusyError):
        opened(tmp_path)
    log.close()
    opened(tmp_path).close()


def test_files_and_folder_are_this_user_s_alone(tmp_path: Path) -> None:
    log = opened(tmp_path / "log")
    write(log, numbered("a", 1, 1))
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    assert files_of(tmp_path / "log")[0].stat().st_mode & 0o777 == 0o600
    log.close()


def test_statistics_tell_what_is_there(tmp_path: Path) -> None:
    log = opened(tmp_path)
    write(log, [message("a", 1, NOW_MS - 5), message("a", 2, NOW_MS)], numbered("b", 1, 3))
    assert log.statistics() == Statistics(
        segments=1,
        size_bytes=files_of(tmp_path)[0].stat().st_size,
        messages=5,
        oldest_ms=NOW_MS - 5,
        newest_ms=NOW_MS,
        findings=0,
    )
    assert log.forgotten_seq == 0
    log.close()
