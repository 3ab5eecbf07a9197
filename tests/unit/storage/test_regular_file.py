"""Files that a person names: what is no ordinary file is refused at once."""

import errno
import os
from pathlib import Path

import pytest

from deskbus.storage.regular_file import open_regular_file, read_regular_file


def test_a_file_and_a_link_to_it_are_read_up_to_the_limit(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"1234")
    link.symlink_to(file)
    for path in (file, link):
        assert read_regular_file(path, 4) == b"1234"
        with pytest.raises(OSError, match="larger than 3 bytes") as refused:
            read_regular_file(path, 3)
        assert refused.value.filename == str(path)


@pytest.mark.parametrize("what", ["pipe", "device", "folder", "nothing"])
def test_what_is_no_ordinary_file_is_refused_and_not_waited_for(tmp_path: Path, what: str) -> None:
    path = tmp_path / "what"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path = Path(os.devnull)
    elif what == "folder":
        path.mkdir()
    numbers = {"folder": errno.EISDIR, "nothing": errno.ENOENT}
    with pytest.raises(OSError) as refused:
        open_regular_file(path)
    assert refused.value.errno == numbers.get(what, errno.ESPIPE)
    assert str(refused.value.filename) == str(path)
