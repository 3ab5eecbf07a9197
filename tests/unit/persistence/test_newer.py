"""Files that a later version has written: told as such, and left as they are."""

from pathlib import Path

import msgspec
import pytest

from deskbus.federation.bookmark import FILE_NAME, Bookmark, NewerPlaceError, Place
from deskbus.persistence.batch import MAGIC
from deskbus.persistence.files import NewerFormatError
from deskbus.persistence.persistence import MessagePersistence
from tests.unit.persistence.rig import files_of, message, numbered, opened, write

VERSION_AT = len(MAGIC)
FLAGS_AT = VERSION_AT + 1

pytestmark = pytest.mark.requirement("2.4")


def with_bumped(folder: Path, at: int, by: int, *, batch: int) -> Path:
    """A log of three batches, of which one has another byte in its head."""
    log = opened(folder)
    for seq in range(3):
        write(log, [message("t", seq + 1)], sync=True)
    log.close()
    (path,) = files_of(folder)
    content = bytearray(path.read_bytes())
    starts = [n for n in range(len(content)) if content[n:].startswith(MAGIC)]
    content[starts[batch] + at] += by
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


def test_a_place_of_a_later_version_is_not_saved_over(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(msgspec.json.encode({"version": 2, "sent": 5, "more": True}))
    before = path.read_bytes()
    bookmark = Bookmark(tmp_path)
    bookmark.load(0)
    with pytest.raises(NewerPlaceError, match="newer deskbus"):
        bookmark.save(Place())
    assert path.read_bytes() == before
