"""Judges one frame and reads it: a request, a notification, a response, or a batch.

The checks that JSON parsers leave out are made here: UTF-8, nesting depth, duplicate keys in the
envelope and in its parameters. Each has a cheap test that clears an honest frame.
"""

import json
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus_protocol.errors import INVALID_REQUEST, PARSE_ERROR, DeskbusError, ErrorObject
from deskbus_protocol.wire.jsontext import HALF_PAIR, MAX_DEPTH, has_half_pair, is_too_deep

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

_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_id = msgspec.json.Decoder(RequestId).decode


def check_text(frame: bytes) -> None:
    """Raises `DeskbusError` (parse_error) for bytes that aren't UTF-8, or nested too deep."""
    if not frame.isascii():
        try:
            frame.decode()
        except UnicodeDecodeError:
            raise DeskbusError(PARSE_ERROR, "The frame is not UTF-8.") from None
    if is_too_deep(frame):
        raise DeskbusError(PARSE_ERROR, f"The frame is nested more than {MAX_DEPTH} deep.")


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
    try:
        members = _decode_members(frame)
    except msgspec.ValidationError:
        raise DeskbusError(INVALID_REQUEST) from None
    except (msgspec.DecodeError, RecursionError):
        raise DeskbusError(PARSE_ERROR, _syntax_fault(frame)) from None
    params = members.get("params", Raw(b""))
    if _may_repeat_keys(members, len(frame)) or _params_may_repeat_keys(params):
        _refuse_repeated_keys(frame)
    try:
        read = _decode_frame(frame)
        _check_kind(read)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise DeskbusError(INVALID_REQUEST) from None
    return read


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


def _may_repeat_keys(members: dict[str, Raw], size: int) -> bool:
    """Whether the text holds more than its members do: white space, escapes or a second key.

    A repeated key is lost in the dictionary but not in the text, so a frame whose length its
    members explain can't contain one.
    """
    explained = 1 + sum(len(key.encode()) + len(value) + 4 for key, value in members.items())
    return size != max(explained, 2)


def _params_may_repeat_keys(params: Raw) -> bool:
    if not bytes(params).startswith(b"{"):
        return False
    return _may_repeat_keys(_decode_members(params), len(params))


class _Members(list[tuple[str, Any]]):
    """A JSON object with every one of its keys, repeated ones too."""


def _refuse_repeated_keys(frame: bytes) -> None:
    try:
        envelope = json.loads(frame, object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        raise DeskbusError(PARSE_ERROR) from None
    for members in (envelope, dict(envelope).get("params")):
        if isinstance(members, _Members) and len(dict(members)) < len(members):
            raise DeskbusError(PARSE_ERROR, "The frame repeats a key.")
