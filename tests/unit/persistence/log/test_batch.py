"""A batch comes back as it went in, or not at all."""

import zlib

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from deskbus.persistence.log import batch as batch_module
from deskbus.persistence.log.batch import (
    HEAD_BYTES,
    BatchError,
    Messages,
    TopicRange,
    decode_table,
    encode,
    read_body,
    read_head,
    read_table,
    unpack_body,
)
from tests.unit.persistence.rig import NOW_MS, Message, batch_of, lines, message, numbered

MESSAGES = st.lists(
    st.builds(
        message,
        topic=st.sampled_from(["a", "b.c", 'quote"\\', "größe", "x,y"]),
        seq=st.integers(1, 2**53),
        timestamp_ms=st.integers(0, 2**53),
        payload=st.binary(max_size=30).map(lambda data: b'"%b"' % data.hex().encode()),
    ),
    min_size=1,
    max_size=20,
)


def decode(data: bytes) -> tuple[dict[str, TopicRange], bytes]:
    view = memoryview(data)
    head = read_head(view)
    table = decode_table(read_table(view, head))
    return table, bytes(unpack_body(head, read_body(view, head)))


@given(MESSAGES, st.booleans(), st.integers(0, 2**63))
def test_a_batch_comes_back_as_it_went_in(
    found: list[Message], compress: bool, position: int
) -> None:
    encoded = encode(batch_of(found, position), compress=compress)
    table, body = decode(bytes(encoded.data))
    assert body == lines(found)
    assert table == encoded.table
    head = read_head(encoded.data)
    assert head == encoded.head
    assert head.size_bytes == len(encoded.data)
    assert (head.first_position, head.end_position) == (position, position + len(found))
    times = [each.timestamp_ms for each in found]
    assert (head.first_ms, head.last_ms) == (min(times), max(times))
    for topic, within in table.items():
        of_topic = [each.seq for each in found if each.topic == topic]
        assert within == (len(of_topic), of_topic[0], of_topic[-1])


@given(MESSAGES, st.booleans(), st.data())
def test_a_batch_that_is_cut_anywhere_is_torn(
    found: list[Message], compress: bool, data: st.DataObject
) -> None:
    whole = bytes(encode(batch_of(found), compress=compress).data)
    with pytest.raises(BatchError) as torn:
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert torn.value.reason == "torn"


@given(MESSAGES, st.booleans(), st.data())
def test_a_bit_that_is_flipped_anywhere_is_noticed(
    found: list[Message], compress: bool, data: st.DataObject
) -> None:
    flipped = encode(batch_of(found), compress=compress).data
    place = data.draw(st.integers(0, len(flipped) * 8 - 1))
    flipped[place // 8] ^= 1 << place % 8
    with pytest.raises(BatchError):
        decode(bytes(flipped))


@pytest.mark.parametrize("field", [range(44, 48), range(40, 44)])
def test_a_length_beyond_a_batch_s_is_damage_and_nothing_is_allocated(field: range) -> None:
    encoded = encode(batch_of(numbered("a", 1, 3))).data
    encoded[field.start : field.stop] = b"\xff\xff\xff\x7f"
    with pytest.raises(BatchError) as refused:
        read_head(encoded)
    assert (refused.value.reason, refused.value.detail) == ("corrupt", "the lengths can't be right")


@pytest.mark.parametrize(("at", "value"), [(8, 2), (9, 4), (9, 0x80)])
def test_another_version_or_an_unknown_flag_is_not_guessed_at(at: int, value: int) -> None:
    encoded = encode(batch_of(numbered("a", 1, 3))).data
    encoded[at] = value
    head = read_head(encoded)
    table = encoded[HEAD_BYTES:][: head.table_bytes]
    check = crc32c(bytes(table), crc32c(bytes(encoded[: HEAD_BYTES - 4])))
    encoded[HEAD_BYTES - 4 : HEAD_BYTES] = check.to_bytes(4, "little")
    with pytest.raises(BatchError, match="newer deskbus"):
        read_table(memoryview(encoded), head)


def test_a_body_that_unpacks_to_more_than_a_batch_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded = encode(batch_of(numbered("a", 1, 100)), compress=True).data
    monkeypatch.setattr(batch_module, "MAX_BATCH_BYTES", len(encoded))
    with pytest.raises(BatchError, match="longer than a batch"):
        decode(bytes(encoded))


def test_a_sound_body_that_is_not_zlib_is_refused() -> None:
    encoded = encode(batch_of(numbered("a", 1, 3)), compress=True)
    with pytest.raises(BatchError, match="decompressed"):
        unpack_body(encoded.head, memoryview(b"no zlib"))
    cut = memoryview(zlib.compress(b"line\n"))[:-2]
    with pytest.raises(BatchError, match="longer"):
        unpack_body(encoded.head, cut)


def test_a_table_of_another_shape_is_refused() -> None:
    for table in (b"[1]", b'{"a":[1,2]}', b'{"a":"b"}', b"[" * 100_000, b"\xff"):
        with pytest.raises(BatchError, match="table"):
            decode_table(table)


def test_line_breaks_within_a_message_become_spaces() -> None:
    messages = Messages(0)
    messages.add("a", 1, NOW_MS, b'{\n"a":1}\n')
    messages.add("a", 2, NOW_MS, b'{"b":2}')
    assert decode(bytes(encode(messages).data))[1] == b'{ "a":1}\n{"b":2}\n'


def test_a_batch_is_neither_empty_nor_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="at least"):
        encode(Messages(0))
    monkeypatch.setattr(batch_module, "MAX_BATCH_BYTES", HEAD_BYTES)
    with pytest.raises(ValueError, match="at most"):
        encode(batch_of(numbered("a", 1, 1)))


def test_the_last_message_can_be_taken_back() -> None:
    messages = batch_of(numbered("a", 1, 3))
    messages.drop_last()
    assert decode(bytes(encode(messages).data))[1] == lines(numbered("a", 1, 2))
    assert messages.size_bytes == len(lines(numbered("a", 1, 2)))
