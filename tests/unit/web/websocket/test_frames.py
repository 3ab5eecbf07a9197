"""Frames of a WebSocket, beside another implementation of the same protocol."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as TheirOpcode

from deskbus.web.limits import MAX_WS_FRAME_BYTES
from deskbus.web.websocket.frames import (
    CloseCode,
    Opcode,
    WsDecoder,
    WsFrame,
    WsProtocolError,
    encode_close,
    encode_head,
)

MESSAGES = st.lists(
    st.lists(st.binary(max_size=300), min_size=1, max_size=4), min_size=1, max_size=5
)


def theirs(messages: list[list[bytes]]) -> tuple[bytes, list[WsFrame]]:
    """Messages in fragments, as `websockets` writes them, and what they are."""
    data, frames = b"", []
    for fragments in messages:
        for number, payload in enumerate(fragments):
            opcode = TheirOpcode.CONT if number else TheirOpcode.TEXT
            ends = number == len(fragments) - 1
            data += Frame(opcode, payload, fin=ends).serialize(mask=True)
            frames.append(WsFrame(int(opcode), payload, ends))
        data += Frame(TheirOpcode.PING, b"in between").serialize(mask=True)
        frames.append(WsFrame(Opcode.PING, b"in between", True))
    return data, frames


@given(MESSAGES, st.data())
def test_frames_are_read_however_the_stream_is_cut(
    messages: list[list[bytes]], cuts: st.DataObject
) -> None:
    data, frames = theirs(messages)
    decoder = WsDecoder()
    read: list[WsFrame] = []
    while data:
        size = cuts.draw(st.integers(1, len(data)))
        read += decoder.feed(data[:size])
        data = data[size:]
    assert read == frames
    assert not decoder.unfinished


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_a_frame_of_any_length_has_the_head_that_others_write(size: int) -> None:
    payload = b"x" * size
    assert encode_head(Opcode.TEXT, size) + payload == Frame(TheirOpcode.TEXT, payload).serialize(
        mask=False
    )


def test_a_close_frame_says_code_and_reason() -> None:
    expected = Frame(TheirOpcode.CLOSE, (1002).to_bytes(2, "big") + b"why").serialize(mask=False)
    assert encode_close(CloseCode.PROTOCOL_ERROR, "why") == expected


def masked(first: int, payload: bytes = b"", length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\x81\x01x", 1002, id="not masked"),
        pytest.param(masked(0xC1), 1002, id="compressed without agreement"),
        pytest.param(masked(0x83), 1002, id="unknown opcode"),
        pytest.param(masked(0x80), 1002, id="continues nothing"),
        pytest.param(masked(0x01) + masked(0x81), 1002, id="begins within a message"),
        pytest.param(masked(0x09), 1002, id="fragmented control frame"),
        pytest.param(masked(0x89), 1002, id="long control frame"),
        pytest.param(masked(0x8B), 1002, id="unknown control frame"),
        pytest.param(masked(0x81, length=MAX_WS_FRAME_BYTES + 1), 1009, id="too long"),
        pytest.param(masked(0x81, length=1 << 63), 1009, id="longer than any memory"),
    ],
)
def test_a_frame_that_breaks_the_protocol_says_which_way_to_close(data: bytes, code: int) -> None:
    with pytest.raises(WsProtocolError) as broken:
        WsDecoder().feed(data)
    assert broken.value.code == code


def test_a_frame_that_comes_byte_by_byte_is_held_once() -> None:
    data = Frame(TheirOpcode.TEXT, os.urandom(2000)).serialize(mask=True)
    decoder = WsDecoder()
    for byte in data[:-1]:
        assert decoder.feed(bytes((byte,))) == []
        assert decoder.unfinished
    assert len(decoder.feed(data[-1:])) == 1
