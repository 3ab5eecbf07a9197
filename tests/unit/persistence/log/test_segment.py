"""A segment gives out every whole batch, whatever has happened to the rest of the file."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.persistence.log import segment as segment_module
from deskbus.persistence.log.batch import MAGIC, encode
from deskbus.persistence.log.file_operations import Files
from deskbus.persistence.log.segment import (
    Damage,
    FoundBatch,
    Segment,
    scan,
    scan_file,
    segment_path,
    segment_paths,
)
from tests.unit.persistence.rig import Disk, batch_of, lines, numbered

BATCHES = [numbered("a", 1, 3), numbered("b", 1, 1), numbered("a", 4, 20), numbered("c", 1, 2)]
ENCODED = [
    bytes(encode(batch_of(batch), compress=bool(n % 2)).data) for n, batch in enumerate(BATCHES)
]
WHOLE = b"".join(ENCODED)
STARTS = [sum(map(len, ENCODED[:number])) for number in range(len(ENCODED))]


def bodies(found: list[FoundBatch | Damage]) -> list[bytes]:
    return [bytes(each.lines()) for each in found if isinstance(each, FoundBatch)]


def damages(found: list[FoundBatch | Damage]) -> list[Damage]:
    return [each for each in found if isinstance(each, Damage)]


def covers(found: list[FoundBatch | Damage], size: int) -> bool:
    """Whether what was found lies side by side from the beginning to the end."""
    at = 0
    for each in found:
        assert each.offset == at
        at += each.length if isinstance(each, Damage) else each.head.size_bytes
    return at == size


def number_at(offset: int) -> int:
    return max(number for number, start in enumerate(STARTS) if start <= offset)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_that_is_cut_gives_the_batches_before_the_cut(cut: int) -> None:
    found = list(scan(WHOLE[:cut]))
    whole = [number for number, start in enumerate(STARTS) if start + len(ENCODED[number]) <= cut]
    assert bodies(found) == [lines(BATCHES[number]) for number in whole]
    assert covers(found, cut)
    if cut not in STARTS:
        (damage,) = damages(found)
        assert damage.torn
        assert damage.offset == STARTS[number_at(cut)]


@given(st.integers(0, len(WHOLE) * 8 - 1))
def test_a_flipped_bit_costs_its_batch_and_no_other(place: int) -> None:
    data = bytearray(WHOLE)
    data[place // 8] ^= 1 << place % 8
    hit = number_at(place // 8)
    found = list(scan(bytes(data)))
    assert bodies(found) == [lines(batch) for n, batch in enumerate(BATCHES) if n != hit]
    (damage,) = damages(found)
    assert (damage.offset, damage.length) == (STARTS[hit], len(ENCODED[hit]))
    assert not damage.torn or hit == len(BATCHES) - 1


@given(st.integers(0, len(WHOLE)), st.binary(min_size=1, max_size=200))
def test_bytes_that_were_put_in_between_are_stepped_over(at: int, stray: bytes) -> None:
    file = WHOLE[:at] + stray + WHOLE[at:]
    found = list(scan(file))
    # Bytes that repeat what they stand beside leave the batch whole.
    whole = [batch for batch, encoded in zip(BATCHES, ENCODED, strict=True) if encoded in file]
    assert bodies(found) == [lines(batch) for batch in whole]
    assert covers(found, len(WHOLE) + len(stray))


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from([MAGIC, *ENCODED]))))
def test_any_bytes_are_cut_into_batches_and_damage_without_a_crash(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert covers(list(scan(data)), len(data))


@pytest.mark.parametrize("damaged", [None, 3, STARTS[1] + 60, STARTS[2] + 5])
def test_a_scan_of_heads_finds_what_a_scan_of_bodies_finds(
    tmp_path: Path, damaged: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(WHOLE)
    if damaged is not None:
        data[damaged] ^= 1
    path = tmp_path / "x.seg"
    path.write_bytes(data)
    monkeypatch.setattr(segment_module, "WINDOW_BYTES", 64)
    heads = list(scan_file(path, bodies=False))
    whole = list(scan_file(path, bodies=True))
    assert covers(heads, len(data))
    for with_head, with_body in zip(heads, whole, strict=True):
        assert with_head.offset == with_body.offset
        if isinstance(with_head, FoundBatch) and isinstance(with_body, FoundBatch):
            assert with_head.head == with_body.head
            assert with_head.decode_table() == with_body.decode_table()


def test_what_is_beyond_a_segment_s_size_is_damage_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_module, "SEGMENT_BYTES", STARTS[2])
    path = tmp_path / "x.seg"
    path.write_bytes(WHOLE)
    *found, damage = scan_file(path, bodies=True)
    assert bodies(found) == [lines(batch) for batch in BATCHES[:2]]
    assert damage == Damage(
        STARTS[2], len(WHOLE) - STARTS[2], "the file is longer than a segment", torn=False
    )


def test_segments_are_found_by_name_and_in_order(tmp_path: Path) -> None:
    for name in ("notes.txt", "12.seg", "x" * 20 + ".seg", "0" * 19 + "².seg"):
        (tmp_path / name).touch()
    for position in (200, 7, 10**15):
        segment_path(tmp_path, position).touch()
    assert [position for position, _ in segment_paths(tmp_path)] == [7, 200, 10**15]


def test_a_segment_file_is_this_user_s_alone(tmp_path: Path) -> None:
    os.close(Files().create(segment_path(tmp_path, 0)))
    assert segment_path(tmp_path, 0).stat().st_mode & 0o777 == 0o600


def test_what_was_written_in_part_is_taken_away_again(tmp_path: Path) -> None:
    disk = Disk()
    path = segment_path(tmp_path, 0)
    segment = Segment(disk, disk.create(path), 0)
    segment.append(bytearray(ENCODED[0]))
    disk.room_bytes = 10
    with pytest.raises(OSError, match="full"):
        segment.append(bytearray(ENCODED[2]))
    assert path.stat().st_size == len(ENCODED[0]) + 10
    segment.roll_back(len(ENCODED[0]))
    assert path.read_bytes() == ENCODED[0]
    disk.done.clear()
    segment.roll_back(len(ENCODED[0]))
    assert disk.done == []
    segment.close()
