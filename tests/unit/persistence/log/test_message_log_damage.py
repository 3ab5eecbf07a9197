"""The log loses only what was hit: torn ends, flipped bits, and a disk that fails in between."""

import errno
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskbus.contracts.log_query import LogQuery
from tests.unit.persistence.rig import (
    Disk,
    batch_of,
    files_of,
    message,
    numbered,
    opened,
    read,
    reopened,
    seqs,
    write,
)


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
        assert seqs(read(log, LogQuery(wants="c".__eq__))) == [1, 2]
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
