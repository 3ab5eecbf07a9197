"""Judges one frame and reads it: a request, a notification, a response, or a batch.

The checks that JSON parsers leave out are made here: UTF-8, nesting depth, the number of values,
duplicate keys in the envelope and in its parameters. Each has a cheap test that clears an honest
frame.
"""

import re
from collections.abc import Generator, Iterator
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus.rpc.value_count import checking_values
from deskbus_protocol.errors import INVALID_REQUEST, PARSE_ERROR, DeskbusError, ErrorObject
from deskbus_protocol.wire.jsontext import HALF_PAIR, MAX_DEPTH, encode, has_half_pair, nesting

MAX_BATCH = 256

RequestId = int | str | float | None


class Frame(msgspec.Struct, gc=False):
    """Any JSON-RPC 2.0 object; which kind it is shows in what is set."""

    jsonrpc: Literal["2.0"]
    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: ErrorObject | UnsetType | None = UNSET


MAX_EXPLAINED_BYTES = 64 * 1024

LARGE_BYTES = 512 * 1024
"""Size from which on a frame is read in steps, since all of it takes a millisecond and more."""

REPEATED_KEY = "The frame repeats a key."

_KEY = re.compile(rb'[ \t\r\n]*"(?:[^"\\]++|\\.)*+"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_AFTER_VALUE = re.compile(rb"[ \t\r\n]*[,}]")

_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_id = msgspec.json.Decoder(RequestId).decode


def checking(frame: bytes) -> Iterator[bool]:
    """Checks a frame in steps that say whether the next may be in the same turn of the loop.

    Raises `DeskbusError`: parse_error for bytes that aren't UTF-8, or nested too deep, and
    too_large for too many values.
    """
    if not frame.isascii():
        try:
            frame.decode()
        except UnicodeDecodeError:
            raise DeskbusError(PARSE_ERROR, "The frame is not UTF-8.") from None
    if len(frame) > LARGE_BYTES:
        yield True
        yield from checking_values(frame)
    for is_too_deep in nesting(frame):
        if is_too_deep:
            raise DeskbusError(PARSE_ERROR, f"The frame is nested more than {MAX_DEPTH} deep.")
        yield True


def is_batch(frame: bytes) -> bool:
    return frame.lstrip()[:1] == b"["


def split_batch(frame: bytes) -> list[bytes]:
    """The members of a checked batch; raises `DeskbusError` (parse_error, invalid_request)."""
    try:
        members = _decode_list(frame)
    except (msgspec.MsgspecError, RecursionError):
        raise DeskbusError(PARSE_ERROR) from None
    if not 1 <= len(members) <= MAX_BATCH:
        raise DeskbusError(INVALID_REQUEST, f"A batch has 1 to {MAX_BATCH} members.")
    return [bytes(member) for member in members]


def read(frame: bytes) -> Frame:
    """Reads one checked frame; raises `DeskbusError` (parse_error, invalid_request)."""
    steps = reading(frame)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Frame = end.value
            return found


def reading(frame: bytes) -> Generator[bool, None, Frame]:
    """As `read`; a large frame in steps that say whether the next may be in the same turn."""
    try:
        members = _decode_members(frame)
    except msgspec.ValidationError:
        raise DeskbusError(INVALID_REQUEST) from None
    except (msgspec.DecodeError, RecursionError):
        raise DeskbusError(PARSE_ERROR, _syntax_fault(frame)) from None
    is_large = len(frame) > LARGE_BYTES
    if is_large:
        yield True
    if _repeats_keys(frame, members):
        raise DeskbusError(PARSE_ERROR, REPEATED_KEY)
    if is_large:
        yield True
    params = bytes(members.get("params", b""))
    if params.startswith(b"{"):
        inner = _decode_members(params)
        if is_large:
            yield True
        if _repeats_keys(params, inner):
            raise DeskbusError(PARSE_ERROR, REPEATED_KEY)
    if is_large:
        yield True
    try:
        found = _decode_frame(_envelope(members) if is_large else frame)
        if is_large and params:
            found.params = Raw(params)
        _check_kind(found)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise DeskbusError(INVALID_REQUEST) from None
    return found


def _syntax_fault(frame: bytes) -> str:
    """Says the one fault that honest senders make: half an emoji, which no UTF-8 can say."""
    return HALF_PAIR if has_half_pair(frame, MAX_EXPLAINED_BYTES) else ""


def _check_kind(frame: Frame) -> None:
    answers = (frame.result is not UNSET) + (frame.error is not UNSET)
    if isinstance(frame.method, str) == bool(answers) or answers > 1:
        raise DeskbusError(INVALID_REQUEST)
    if isinstance(frame.id, Raw):
        _decode_id(frame.id)
    if isinstance(frame.params, Raw) and bytes(frame.params)[:1] not in (b"{", b"["):
        raise DeskbusError(INVALID_REQUEST, "params must be an object.")


def _envelope(members: dict[str, Raw]) -> bytes:
    """The frame without its parameters, which were checked already."""
    return b"{%b}" % b",".join(
        encode(key) + b":" + bytes(value) for key, value in members.items() if key != "params"
    )


def _repeats_keys(text: bytes, members: dict[str, Raw]) -> bool:
    """Whether the text of an object holds more members than these.

    Of a repeated key a decoder keeps one value, so the text is more than the members explain.
    """
    explained = 1 + sum(len(key.encode()) + len(value) + 4 for key, value in members.items())
    return len(text) != max(explained, 2) and not _is_walked_through(text, members)


def _is_walked_through(text: bytes, members: dict[str, Raw]) -> bool:
    """Whether these members, in their order, are all that stands in the text of an object."""
    at = text.index(b"{") + 1
    for value in members.values():
        key = _KEY.match(text, at)
        if key is None or not text.startswith(bytes(value), key.end()):
            return False
        after = _AFTER_VALUE.match(text, key.end() + len(value))
        if after is None:
            return False
        at = after.end()
    return not members or text[at - 1 : at] == b"}"
