"""Both framings: whole frames whatever the cuts, bounded, and never lost after a bad one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus_protocol.wire.framing import (
    HEAD_BYTES,
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    FramingDecoder,
    FramingLostError,
    encode_content_length,
    encode_line,
    lines_of,
)

FRAMES = st.lists(
    st.binary(min_size=1, max_size=40).map(lambda body: b'{"x":"%b"}' % body.hex().encode()),
    min_size=1,
    max_size=20,
)
CUTS = st.lists(st.integers(min_value=0, max_value=2000), max_size=12)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:end] for start, end in pairwise(edges)]


def decode(parts: list[bytes]) -> list[bytes]:
    decoder = FramingDecoder()
    return b"".join(decoder.feed(part) for part in parts).split(b"\n")[:-1]


@given(FRAMES, CUTS)
def test_lines_come_out_whole_however_the_stream_is_cut(
    frames: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(encode_line(frame) for frame in frames)
    assert decode(pieces(stream, cuts)) == frames


@given(FRAMES, CUTS)
def test_content_length_frames_come_out_whole_however_the_stream_is_cut(
    frames: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(encode_content_length(frame) for frame in frames)
    assert decode(pieces(stream, cuts)) == frames


def test_line_breaks_within_a_content_length_frame_become_spaces() -> None:
    pretty = b'{\r\n  "a": 1\n}'
    assert decode([encode_content_length(pretty)]) == [b'{\r   "a": 1 }']


@pytest.mark.parametrize("string", [b"a\nb", b"\\\nb", b'\\"\n', b"\r\n"])
def test_a_line_break_within_a_string_is_refused_and_not_mended(string: bytes) -> None:
    decoder = FramingDecoder()
    frame = b'{\n"id":1,"x":"%b"\n}' % string
    block = decoder.feed(encode_content_length(frame) + encode_content_length(b"{}"))
    assert block == b"{}\n"
    (refused,) = decoder.take_refused()
    assert refused.error.kind.name == "parse_error"
    assert refused.head == frame


@given(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"\r")), st.integers(0, 3))
def test_only_a_newline_ends_a_line(text: bytes, ends: int) -> None:
    block = (text + b"\n") * ends
    assert lines_of(block) == [text + b"\n"] * ends
    assert lines_of(block + b"\x0b\r") == [text + b"\n"] * ends + [b"\x0b\r"]


def test_other_headers_are_ignored() -> None:
    stream = b"Content-Type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    assert decode([stream]) == [b"{}"]


@pytest.mark.parametrize("encode", [encode_line, encode_content_length])
def test_an_oversized_frame_is_refused_and_the_next_one_is_sound(encode: object) -> None:
    assert callable(encode)
    decoder = FramingDecoder()
    big = encode(b'{"x":"' + b"a" * (25 * MAX_FRAME_BYTES) + b'"}')
    found = [decoder.feed(encode(b'{"first":1}'))]
    found += [decoder.feed(big[at : at + 1_000_000]) for at in range(0, len(big), 1_000_000)]
    found += [decoder.feed(encode(b'{"last":1}'))]
    assert b"".join(found) == b'{"first":1}\n{"last":1}\n'
    (refused,) = decoder.take_refused()
    assert refused.error.kind.name == "too_large"
    assert refused.head == (b'{"x":"' + b"a" * HEAD_BYTES)[:HEAD_BYTES]
    assert decoder.take_refused() == []


def test_an_oversized_frame_within_one_read_is_left_out() -> None:
    decoder = FramingDecoder()
    block = decoder.feed(b'{"a":1}\n{"x":"%b"}\n{"b":2}\n' % (b"a" * MAX_FRAME_BYTES))
    assert block == b'{"a":1}\n{"b":2}\n'
    assert len(decoder.take_refused()) == 1


@pytest.mark.parametrize(
    "stream",
    [
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: five\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"Content-Type: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"X" * (MAX_HEADER_BYTES + 1),
        b"Content-Length: 9999999999999999999\r\n\r\n",
    ],
)
def test_a_header_that_makes_no_sense_ends_the_stream(stream: bytes) -> None:
    with pytest.raises(FramingLostError):
        FramingDecoder().feed(stream)
