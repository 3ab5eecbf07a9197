"""Content codings of frames, and streams in which such frames stand among lines."""

import gzip
import os
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus_protocol.errors import PARSE_ERROR, TOO_LARGE, DeskbusError, ErrorKind
from deskbus_protocol.wire.encoding import (
    ENCODINGS,
    MIN_ENCODED_BYTES,
    EncodedFrame,
    Encoding,
    beginning,
    decode,
    encode,
    is_available,
)
from deskbus_protocol.wire.framing import EncodedFramingDecoder, LineDecoder
from tests.conftest import absent

FRAME = b'{"rows":[%b]}' % b",".join(b'{"id":%d,"symbol":"EURUSD"}' % n for n in range(300))
LIMIT_BYTES = 64 * 1024


@pytest.fixture(params=ENCODINGS)
def encoding(request: pytest.FixtureRequest) -> Encoding:
    named: Encoding = request.param
    return named if is_available(named) else absent(f"{named} is missing")


def body_of(encoding: Encoding, frame: bytes) -> bytes:
    block = encode(encoding, frame)
    assert block is not None
    return block.partition(b"\r\n\r\n")[2]


def why(encoded: EncodedFrame, limit_bytes: int) -> ErrorKind:
    with pytest.raises(DeskbusError) as caught:
        decode(encoded, limit_bytes)
    return caught.value.kind


def test_a_frame_comes_back_and_no_more_than_the_limit_is_made_of_it(encoding: Encoding) -> None:
    encoded = EncodedFrame(encoding, body_of(encoding, FRAME))
    assert decode(encoded, len(FRAME)) == FRAME
    assert why(encoded, len(FRAME) - 1) is TOO_LARGE
    assert beginning(encoded, 100) == FRAME[:100]
    bomb = EncodedFrame(encoding, body_of(encoding, b"0" * 20_000_000))
    assert len(bomb.body) < 100_000
    assert why(bomb, LIMIT_BYTES) is TOO_LARGE


def test_what_is_no_whole_stream_is_refused(encoding: Encoding) -> None:
    body = body_of(encoding, FRAME)
    for broken in (b"", b"nonsense", body[:-3], body[: len(body) // 2], body + b"more"):
        assert why(EncodedFrame(encoding, broken), LIMIT_BYTES) is PARSE_ERROR


def test_short_frames_and_what_was_compressed_already_stay_as_they_are(encoding: Encoding) -> None:
    assert encode(encoding, b"0" * (MIN_ENCODED_BYTES - 1)) is None
    assert encode(encoding, b"0" * MIN_ENCODED_BYTES) is not None
    assert encode(encoding, b64encode(os.urandom(20_000))) is None


def block(frame: bytes) -> bytes:
    body = gzip.compress(frame)
    return b"Content-Length: %d\r\nContent-Encoding: gzip\r\n\r\n%b" % (len(body), body)


def cut(decoder: EncodedFramingDecoder, piece: bytes) -> bytes:
    blocks = [decoder.feed(piece)]
    while decoder.encoded is not None:
        blocks.append(decode(decoder.encoded, LIMIT_BYTES) + b"\n")
        blocks.append(decoder.go_on())
    return b"".join(blocks)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([b"{}", b'{"a":"C"}', FRAME])), max_size=6),
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
)
def test_frames_come_in_their_order_however_the_stream_is_cut(
    frames: list[tuple[bool, bytes]], sizes: list[int]
) -> None:
    stream = b"".join(block(frame) if encoded else frame + b"\n" for encoded, frame in frames)
    decoder = EncodedFramingDecoder(LineDecoder())
    got, turn = b"", 0
    while stream:
        size = sizes[turn % len(sizes)]
        got += cut(decoder, stream[:size])
        stream, turn = stream[size:], turn + 1
    assert got == b"".join(frame + b"\n" for _, frame in frames)
    assert decoder.held_bytes == 0


def test_what_follows_an_encoded_frame_waits_until_that_was_taken() -> None:
    decoder = EncodedFramingDecoder(LineDecoder())
    assert decoder.feed(b"{}\n" + block(FRAME) + b"[]\n") == b"{}\n"
    assert decoder.encoded is not None
    assert decoder.feed(b"[1]\n") == b""
    assert decoder.go_on() == b"[]\n[1]\n"
    assert decoder.encoded is None
