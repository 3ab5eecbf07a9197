"""Files that a later version has written: told as such, and left as they are."""

from pathlib import Path

import pytest
from crc32c import crc32c

from deskbus.persistence.log.batch import HEAD_BYTES, MAGIC, VERSION_AT, read_head
from deskbus.persistence.service import MessagePersistence
from deskbus.storage.newer_format import NewerFormatError
from tests.unit.persistence.rig import files_of, message, numbered, opened, read, seqs, write

FLAGS_AT = VERSION_AT + 1

pytestmark = pytest.mark.requirement("2.4")


def with_bumped(folder: Path, at: int, by: int, *, batch: int, checked: bool = True) -> Path:
    """A log of three batches, of which one has another byte in its head, `checked` or not."""
    log = opened(folder)
    for seq in range(3):
        write(log, [message("t", seq + 1)], sync=True)
    log.close()
    (path,) = files_of(folder)
    content = bytearray(path.read_bytes())
    starts = [n for n in range(len(content)) if content[n:].startswith(MAGIC)]
    start = starts[batch]
    table = bytes(content[start + HEAD_BYTES :][: read_head(content, start).table_bytes])
    content[start + at] += by
    if checked:
        check = crc32c(table, crc32c(bytes(content[start : start + HEAD_BYTES - 4])))
        content[start + HEAD_BYTES - 4 : start + HEAD_BYTES] = check.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("batch", [0, 1, 2])
@pytest.mark.parametrize(("at", "by"), [(VERSION_AT, 1), (FLAGS_AT, 64)])
def test_a_batch_of_a_later_version_is_neither_cut_nor_written_after(
    batch: int, at: int, by: int, tmp_path: Path
) -> None:
    path = with_bumped(tmp_path, at, by, batch=batch)
    before = path.read_bytes()
    with pytest.raises(NewerFormatError):
        opened(tmp_path)
    assert path.read_bytes() == before
    assert [each.name for each in files_of(tmp_path)] == [path.name]


@pytest.mark.parametrize("batch", [0, 1, 2])
@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("at", [VERSION_AT, FLAGS_AT])
def test_one_flipped_bit_is_damage_and_the_log_is_written_on(
    at: int, bit: int, batch: int, tmp_path: Path
) -> None:
    # Version and flags of these batches are 1 and 0.
    by = -1 if (at, bit) == (VERSION_AT, 0) else 1 << bit
    path = with_bumped(tmp_path, at, by, batch=batch, checked=False)
    before = path.read_bytes()
    log = opened(tmp_path)
    (found,) = log.findings
    assert "newer" not in found.reason
    write(log, [message("t", 4)], sync=True)
    assert seqs(read(log)) == [seq for seq in (1, 2, 3, 4) if seq != batch + 1]
    log.close()
    assert path.read_bytes().startswith(before)


def test_a_later_version_behind_damage_is_seen(tmp_path: Path) -> None:
    path = with_bumped(tmp_path, VERSION_AT, 1, batch=1)
    content = bytearray(path.read_bytes())
    content[VERSION_AT + 8] ^= 1
    path.write_bytes(content)
    with pytest.raises(NewerFormatError):
        opened(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kept", [VERSION_AT + 1, HEAD_BYTES, HEAD_BYTES + 3])
def test_what_a_later_version_had_begun_to_write_is_not_cut_off(kept: int, tmp_path: Path) -> None:
    path = with_bumped(tmp_path, VERSION_AT, 1, batch=2)
    content = path.read_bytes()
    cut = content[: content.rindex(MAGIC) + kept]
    path.write_bytes(cut)
    log = opened(tmp_path)
    write(log, [message("t", 4)], sync=True)
    assert seqs(read(log)) == [1, 2, 4]
    log.close()
    assert path.read_bytes() == cut


async def test_a_log_of_a_later_version_is_told_in_health_and_left_alone(
    tmp_path: Path, anyio_backend: str
) -> None:
    path = with_bumped(tmp_path, VERSION_AT, 1, batch=1)
    before = path.read_bytes()
    persistence = MessagePersistence(tmp_path)
    await persistence.start()
    for each in numbered("t", 10, 12):
        persistence.append(*each)
    assert not await persistence.flush()
    assert "newer deskbus" in persistence.state.detail
    await persistence.close()
    assert path.read_bytes() == before
    assert [each.name for each in files_of(tmp_path)] == [path.name]
