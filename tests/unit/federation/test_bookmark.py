"""The place that a restart begins at."""

from pathlib import Path

import pytest

from deskbus.federation.bookmark import FILE_NAME, Bookmark, Place


def test_the_first_start_begins_at_the_end_of_the_log(tmp_path: Path) -> None:
    assert Bookmark(tmp_path).load(17) == Place(sent=17, position=17)


@pytest.mark.requirement("2.2")
def test_a_saved_place_is_there_again(tmp_path: Path) -> None:
    place = Place(sent=5, stream="s1", taken=9, position=7)
    Bookmark(tmp_path).save(Place())
    Bookmark(tmp_path).save(place)
    assert Bookmark(tmp_path).load(20) == place
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


def test_with_another_log_everything_in_it_is_sent(tmp_path: Path) -> None:
    Bookmark(tmp_path).save(Place(sent=5, stream="s1", taken=9, position=7))
    assert Bookmark(tmp_path).load(6) == Place(sent=0, stream="s1", taken=9, position=0)


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":0}', b'{"sent":"x"}'])
def test_a_damaged_file_means_to_send_twice_rather_than_not_at_all(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert Bookmark(tmp_path).load(6) == Place()
