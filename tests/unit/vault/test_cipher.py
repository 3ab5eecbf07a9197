"""Sealed values open whole, or not at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.vault import cipher
from deskbus.vault.cipher import (
    CHUNK_BYTES,
    Context,
    SealError,
    open_chunks,
    open_sealed,
    seal,
    seal_chunks,
)

KEY = bytes(range(32))
KEY_ID = b"\x01" * 8
CONTEXT = Context("apps", "desk.feed", "token", 7)
PLAINTEXT = b"the plaintext of a secret"
CHUNK = CHUNK_BYTES + cipher.TAG_BYTES


def sealed_chunks(count: int) -> list[bytes]:
    """A header and `count` chunks, the last of them short."""
    sizes = [CHUNK_BYTES] * (count - 1) + [10]
    pieces = [bytes([n]) * size for n, size in enumerate(sizes)]
    return list(seal_chunks(KEY_ID, KEY, CONTEXT, pieces))


@pytest.mark.requirement("3.3")
@given(st.binary(max_size=300))
def test_what_was_sealed_opens(plaintext: bytes) -> None:
    sealed = seal(KEY_ID, KEY, CONTEXT, plaintext)
    assert open_sealed(KEY, CONTEXT, sealed) == plaintext
    assert cipher.key_id_of(sealed) == KEY_ID


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 1_000_000])
def test_values_of_any_size_open(size: int) -> None:
    plaintext = b"x" * size
    assert open_sealed(KEY, CONTEXT, seal(KEY_ID, KEY, CONTEXT, plaintext)) == plaintext


def test_an_empty_stream_opens() -> None:
    assert open_sealed(KEY, CONTEXT, b"".join(seal_chunks(KEY_ID, KEY, CONTEXT, []))) == b""


@pytest.mark.requirement("3.3")
def test_every_flipped_byte_fails_with_the_same_error() -> None:
    sealed = seal(KEY_ID, KEY, CONTEXT, PLAINTEXT)
    told = set()
    for place in range(len(sealed)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(sealed)
            changed[place] ^= flip
            with pytest.raises(SealError) as failed:
                open_sealed(KEY, CONTEXT, bytes(changed))
            told.add((str(failed.value), failed.value.__cause__))
    assert len(told) == 1


@pytest.mark.requirement("3.3")
def test_every_flipped_byte_of_a_stream_fails() -> None:
    sealed = b"".join(seal_chunks(KEY_ID, KEY, CONTEXT, [b"one short chunk"]))
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealError):
            open_sealed(KEY, CONTEXT, bytes(changed))


@pytest.mark.requirement("3.3")
@given(st.lists(st.just(CHUNK_BYTES), max_size=3), st.integers(0, CHUNK_BYTES))
def test_a_stream_opens_piece_by_piece(sizes: list[int], last: int) -> None:
    pieces = [bytes([n]) * size for n, size in enumerate([*sizes, last])]
    header, *chunks = seal_chunks(KEY_ID, KEY, CONTEXT, pieces)
    opening = open_chunks(KEY, CONTEXT, header, chunks)
    assert list(opening) == pieces
    for wrong in ([], chunks[:-1], [*chunks, chunks[-1]]):
        with pytest.raises(SealError):
            list(open_chunks(KEY, CONTEXT, header, wrong))


@pytest.mark.requirement("3.3")
def test_every_cut_of_a_record_fails() -> None:
    sealed = seal(KEY_ID, KEY, CONTEXT, PLAINTEXT)
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            open_sealed(KEY, CONTEXT, sealed[:length])
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, sealed + b"\0")


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    "other",
    [
        CONTEXT._replace(purpose="config"),
        CONTEXT._replace(app="desk.blotter"),
        CONTEXT._replace(name="token2"),
        CONTEXT._replace(generation=6),
        Context("apps", "desk.feedt", "oken", 7),
        Context("appsd", "esk.feed", "token", 7),
    ],
)
def test_a_record_in_anothers_place_does_not_open(other: Context) -> None:
    with pytest.raises(SealError):
        open_sealed(KEY, other, seal(KEY_ID, KEY, CONTEXT, PLAINTEXT))


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(("place", "value"), [(4, 0), (4, 2), (5, 0), (5, 2), (5, 3)])
def test_another_version_or_suite_does_not_open(place: int, value: int) -> None:
    changed = bytearray(seal(KEY_ID, KEY, CONTEXT, PLAINTEXT))
    changed[place] = value
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, bytes(changed))


def test_the_suite_of_a_stream_can_not_be_lowered() -> None:
    changed = bytearray(b"".join(sealed_chunks(1)))
    changed[5] = 1
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, bytes(changed))


@pytest.mark.requirement("3.3")
def test_another_key_is_told_by_the_commitment() -> None:
    with pytest.raises(SealError):
        open_sealed(bytes(32), CONTEXT, seal(KEY_ID, KEY, CONTEXT, PLAINTEXT))


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    "order",
    [
        [0, 1, 2],  # the end cut off
        [0, 1, 3],  # one dropped
        [0, 2, 1, 3],  # two swapped
        [0, 1, 2, 2, 3],  # one twice
        [0, 2, 3],  # the beginning cut off
        [0, 3],
        [0],
        [0, 1, 2, 3, 3],
    ],
)
def test_chunks_can_not_be_cut_swapped_dropped_or_added(order: list[int]) -> None:
    parts = sealed_chunks(3)
    assert len(parts) == 4
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, b"".join(parts[n] for n in order))


def test_chunks_of_another_stream_do_not_fit_in() -> None:
    first, second = sealed_chunks(3), sealed_chunks(3)
    first[2] = second[2]
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, b"".join(first))


@given(st.binary(max_size=400), st.booleans())
def test_bytes_of_any_kind_are_refused_with_the_one_error(data: bytes, begins_well: bool) -> None:
    if begins_well:
        data = seal(KEY_ID, KEY, CONTEXT, PLAINTEXT)[:14] + data
    with pytest.raises(SealError):
        open_sealed(KEY, CONTEXT, data)


def test_two_sealings_share_nothing() -> None:
    first, second = (seal(KEY_ID, KEY, CONTEXT, PLAINTEXT) for _ in range(2))
    assert first[14:] != second[14:]
    assert PLAINTEXT not in first


def test_wiping_leaves_zeros() -> None:
    key = cipher.new_key()
    assert any(key)
    cipher.wipe(key)
    assert key == bytes(32)


@pytest.mark.parametrize(("size", "suite"), [(65_536, 1), (65_537, 2)])
def test_what_is_longer_than_64_kib_is_made_of_chunks(size: int, suite: int) -> None:
    sealed = seal(KEY_ID, KEY, CONTEXT, bytes(size))
    assert sealed[5] == suite
    assert len(sealed) == cipher.HEADER_BYTES + size + suite * cipher.TAG_BYTES


def test_a_stream_ends_before_its_counter_would_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter has 32 bits in the nonce: one more chunk would use a nonce twice."""
    assert cipher.MAX_CHUNKS == 2**32 == 1 << 8 * struct.calcsize(">I")
    monkeypatch.setattr(cipher, "MAX_CHUNKS", 3)
    assert len(list(seal_chunks(KEY_ID, KEY, CONTEXT, [b"x"] * 3))) == 4
    with pytest.raises(OverflowError):
        list(seal_chunks(KEY_ID, KEY, CONTEXT, [b"x"] * 4))


def test_the_one_error_says_nothing_of_why() -> None:
    assert str(SealError()) == "this sealed value can't be opened"


@pytest.mark.parametrize(
    "sealed", [b"XVLT" + bytes(200), b"DVLT" + bytes(cipher.HEADER_BYTES + cipher.TAG_BYTES - 5)]
)
def test_what_is_no_sealed_value_names_no_key(sealed: bytes) -> None:
    with pytest.raises(SealError):
        cipher.key_id_of(sealed)
    assert cipher.key_id_of(b"DVLT" + bytes(cipher.HEADER_BYTES + cipher.TAG_BYTES - 4)) == bytes(8)
