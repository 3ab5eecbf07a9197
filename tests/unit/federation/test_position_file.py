"""The place that a restart begins at."""

from pathlib import Path

import pytest

from deskbus.federation.position_file import FILE_NAME, Position, PositionFile


def test_the_first_start_begins_at_the_end_of_the_log(tmp_path: Path) -> None:
    assert PositionFile(tmp_path).load(17) == Position(sent=17, position=17)


@pytest.mark.requirement("2.2")
def test_a_saved_place_is_there_again(tmp_path: Path) -> None:
    place = Position(sent=5, stream="s1", taken=9, position=7)
    PositionFile(tmp_path).save(Position())
    PositionFile(tmp_path).save(place)
    assert PositionFile(tmp_path).load(20) == place
    assert [each.name for each in tmp_path.iterdir()] == [FILE_NAME]


def test_with_another_log_everything_in_it_is_sent(tmp_path: Path) -> None:
    PositionFile(tmp_path).save(Position(sent=5, stream="s1", taken=9, position=7))
    assert PositionFile(tmp_path).load(6) == Position(sent=0, stream="s1", taken=9, position=0)


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":0}', b'{"sent":"x"}'])
def test_a_damaged_file_means_to_send_twice_rather_than_not_at_all(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert PositionFile(tmp_path).load(6) == Position()
