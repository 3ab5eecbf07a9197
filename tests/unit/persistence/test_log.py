"""The log keeps what it was given over restarts, damage and a disk that fails."""

import errno
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskbus.persistence import log as log_module
from deskbus.persistence.files import FolderInUseError
from deskbus.persistence.log import MessageLog, Statistics
from deskbus.persistence.query import Query
from deskbus.persistence.retention import MAX_AGE_MS, Retention
from tests.unit.persistence.rig import (
    NOW_MS,
    Disk,
    batch_of,
    lines,
    message,
    numbered,
    opened,
    read,
    seqs,
    write,
)

SMALL_SEGMENT = 2000


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", SMALL_SEGMENT)


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


def reopened(log: MessageLog) -> MessageLog:
    log.close()
    return opened(log.folder)


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
    log = opened(tmp_path, retention=Retention(max_segments=3))
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
    assert seqs(read(log, Query(from_ms=NOW_MS + 3, to_ms=NOW_MS + 6))) == [3, 4, 5]
    for path in files_of(tmp_path)[:-2]:
        # Opening a folder as a file is an error, which would be reported.
        path.unlink()
        path.mkdir()
    assert seqs(read(log, Query(from_ms=NOW_MS + 39))) == [39, 40]
    assert seqs(read(log, Query(wants="late".__eq__, limit=2))) == [36, 37]
    assert seqs(read(log, Query(from_position=38))) == [39, 40]
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
    for block in log.read(Query()):
        found += seqs(block.lines)
        assert block.next_position == len(found)
        position = block.next_position
    assert found == list(range(1, 10_001))
    assert position == log.position
    rest = read(log, Query(from_position=4321, to_position=4330))
    assert seqs(rest) == list(range(4322, 4331))
    *_, last = log.read(Query(from_position=4321, limit=5))
    assert (seqs(last.lines), last.next_position) == (list(range(4322, 4327)), 4326)
    log.close()


def test_a_reader_sees_what_was_complete_when_it_began(tmp_path: Path) -> None:
    log = opened(tmp_path)
    write(log, numbered("a", 1, 3))
    blocks = log.read(Query())
    write(log, numbered("a", 4, 6))
    assert seqs(b"".join(block.lines for block in blocks)) == [1, 2, 3]
    assert seqs(read(log)) == [1, 2, 3, 4, 5, 6]
    log.close()


@pytest.mark.usefixtures("small_segments")
def test_a_segment_that_is_removed_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for seq in range(1, 21):
        write(log, numbered("a", seq, seq))
    blocks = log.read(Query())
    first, *_ = files_of(tmp_path)
    kept = int(files_of(tmp_path)[1].stem)
    first.unlink()
    assert seqs(b"".join(block.lines for block in blocks)) == list(range(kept + 1, 21))
    log.close()


def filled(folder: Path) -> list[Path]:
    """Three segments of some batches each."""
    log = opened(folder)
    for seq in range(1, 16):
        write(log, [message("a", seq), message("b", seq)])
    log.close()
    return files_of(folder)


@pytest.mark.requirement("2.4")
@pytest.mark.usefixtures("small_segments")
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_anywhere_costs_only_what_it_hit_and_is_told(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = filled(folder)
        number = data.draw(st.integers(0, len(paths) - 1))
        content = bytearray(paths[number].read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "zeros", "stray"]))
        if how == "flip":
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        elif how == "cut":
            del content[at:]
        elif how == "zeros":
            content[at:] = bytes(len(content) - at)
        else:
            content[at:at] = b"stray"
        paths[number].write_bytes(content)

        log = opened(folder)
        found = seqs(read(log))
        lost = sorted({*range(1, 16)} - {*found})
        assert found == [seq for seq in range(1, 16) if seq not in lost for _ in "ab"]
        if how == "flip":
            assert len(lost) == 1
        if how in {"flip", "stray"} or lost:
            assert log.findings or how == "cut"
        for finding in log.findings:
            assert finding.segment == paths[number].name
            assert finding.offset <= at < finding.offset + max(finding.length, 1) or how != "flip"
        write(log, numbered("c", 1, 2))
        assert seqs(read(log, Query(wants="c".__eq__))) == [1, 2]
        log = reopened(log)
        assert seqs(read(log)) == [*found, 1, 2]
        log.close()


def test_a_torn_end_is_cut_back_to_the_last_whole_batch(tmp_path: Path) -> None:
    log = opened(tmp_path)
    write(log, numbered("a", 1, 2))
    whole = files_of(tmp_path)[0].stat().st_size
    write(log, numbered("a", 3, 4))
    log.close()
    (path,) = files_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    log = opened(tmp_path)
    assert path.stat().st_size == whole
    assert [(f.segment, f.offset) for f in log.findings] == [(path.name, whole)]
    write(log, numbered("a", 3, 3))
    assert seqs(read(reopened(log))) == [1, 2, 3]


def test_a_damaged_end_is_left_as_it_is_and_no_position_given_twice(tmp_path: Path) -> None:
    log = opened(tmp_path)
    write(log, numbered("a", 1, 2), numbered("a", 3, 4))
    log.close()
    (path,) = files_of(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    log = opened(tmp_path)
    assert log.position > 4
    write(log, numbered("a", 5, 5))
    assert path.read_bytes() == content
    assert seqs(read(log)) == [1, 2, 5]
    assert len(files_of(tmp_path)) == 2
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
    with pytest.raises(FolderInUseError):
        opened(tmp_path)
    log.close()
    opened(tmp_path).close()


def test_files_and_folder_are_this_user_s_alone(tmp_path: Path) -> None:
    log = opened(tmp_path / "log")
    write(log, numbered("a", 1, 1))
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    assert files_of(tmp_path / "log")[0].stat().st_mode & 0o777 == 0o600
    log.close()


@pytest.mark.requirement("2.4")
@pytest.mark.parametrize("operation", ["create", "sync_folder", "write", "sync"])
def test_after_an_error_the_same_batches_can_be_written_again_once(
    tmp_path: Path, operation: str
) -> None:
    disk = Disk()
    log = opened(tmp_path, files=disk)
    batches = [batch_of(numbered("a", 1, 2)), batch_of(numbered("a", 3, 4))]
    for error in (errno.EIO, errno.ENOSPC):
        disk.failing[operation] = error
        written = log.write(batches, sync=True)
        assert (written.batches, written.error and written.error.errno) == (0, error)  # type: ignore[attr-defined]
        assert read(log) == b""
    disk.failing.clear()
    assert log.write(batches, sync=True) == (2, None)
    assert seqs(read(log)) == [1, 2, 3, 4]
    log = reopened(log)
    assert (seqs(read(log)), log.position) == ([1, 2, 3, 4], 4)
    log.close()


@pytest.mark.requirement("2.4")
def test_a_write_that_got_half_way_is_taken_back_even_later(tmp_path: Path) -> None:
    disk = Disk()
    log = opened(tmp_path, files=disk)
    write(log, numbered("a", 1, 2))
    disk.room_bytes = 20
    disk.failing["truncate"] = errno.EIO
    batch = batch_of(numbered("a", 3, 4))
    assert log.write([batch], sync=False).batches == 0
    assert log.write([batch], sync=False).batches == 0
    disk.failing.clear()
    disk.room_bytes = None
    assert log.write([batch], sync=False) == (1, None)
    assert seqs(read(reopened(log))) == [1, 2, 3, 4]


@pytest.mark.usefixtures("small_segments")
def test_what_was_sealed_before_an_error_counts_as_written(tmp_path: Path) -> None:
    disk = Disk()
    log = opened(tmp_path, files=disk)
    batches = [batch_of(numbered("a", seq * 2 - 1, seq * 2)) for seq in range(1, 8)]
    writes = 0

    def fail_late(operation: str) -> None:
        nonlocal writes
        writes += operation == "write"
        if writes == 5:
            disk.failing["write"] = errno.ENOSPC

    disk.before = fail_late
    written = log.write(batches, sync=True)
    assert 0 < written.batches < 5
    disk.failing.clear()
    assert log.write(batches[written.batches :], sync=True).error is None
    assert seqs(read(log)) == list(range(1, 15))
    assert seqs(read(reopened(log))) == list(range(1, 15))


def test_a_descriptor_is_not_trusted_after_a_failed_sync(tmp_path: Path) -> None:
    disk = Disk()
    log = opened(tmp_path, files=disk)
    write(log, numbered("a", 1, 2))
    disk.failing["sync"] = errno.EIO
    assert log.write([batch_of(numbered("a", 3, 4))], sync=True).batches == 0
    disk.failing.clear()
    write(log, numbered("a", 3, 4), sync=True)
    assert len(files_of(tmp_path)) == 2
    assert seqs(read(log)) == [1, 2, 3, 4]
    log.close()


def test_nothing_is_synced_twice(tmp_path: Path) -> None:
    disk = Disk()
    log = opened(tmp_path, files=disk)
    write(log, numbered("a", 1, 2), sync=True)
    assert log.write([], sync=True) == (0, None)
    assert disk.done.count("sync") == 1
    write(log, numbered("a", 3, 4))
    log.close()
    assert disk.done.count("sync") == 2


def test_a_segment_that_can_t_be_read_is_told_and_the_others_are_served(tmp_path: Path) -> None:
    log = opened(tmp_path)
    write(log, numbered("a", 1, 2))
    log.close()
    (tmp_path / f"{5:020d}.seg").mkdir()
    log = opened(tmp_path)
    write(log, numbered("a", 3, 4))
    assert seqs(read(log)) == [1, 2, 3, 4]
    assert [finding.segment for finding in log.findings] == [f"{5:020d}.seg"]
    assert [finding.segment for finding in log.verify()] == [f"{5:020d}.seg"]
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


@pytest.mark.usefixtures("small_segments")
def test_verifying_reads_everything_and_tells_how_far_it_is(tmp_path: Path) -> None:
    paths = filled(tmp_path)
    content = bytearray(paths[0].read_bytes())
    content[-3] ^= 1
    paths[0].write_bytes(content)
    log = opened(tmp_path)
    # Older segments are taken by their summaries, so this shows only when they are read.
    assert log.findings == []
    told: list[tuple[int, int]] = []
    (finding,) = log.verify(lambda done, total: told.append((done, total)))
    assert finding.segment == paths[0].name
    assert 0 < finding.offset < len(content) == finding.offset + finding.length
    assert told[-1] == (log.statistics().size_bytes, log.statistics().size_bytes)
    read(log)
    assert log.findings == [finding]
    log.close()
