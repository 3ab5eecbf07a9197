"""JSON as text: what a frame may hold, told without decoding it, and text that is written anew."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw

from deskbus_protocol.errors import INVALID_PARAMS, TOO_LARGE, DeskbusError
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES

MAX_DEPTH = 128
"""Levels of nesting that a frame may have."""

HALF_PAIR = "A string holds half of a surrogate pair."

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F])|.)", re.DOTALL
)
COUNTED_AT_ONCE_BYTES = 32 * 1024
"""Text whose nesting or values are counted at once, which takes about a millisecond at most."""

SEARCHED_AT_ONCE_BYTES = 256 * 1024
"""Text that is searched for single bytes at once, which takes some tenths of a millisecond."""

_CHUNK_BYTES = 64
_MARKS = bytes.maketrans(b"[{]}", b"(())")
_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_STEP = {ord("("): 1, ord(")"): -1}
_NO_SEPARATORS = bytes(byte for byte in range(256) if byte not in b'[{,"')
_BACKSLASHES = re.compile(rb"\\*")

encode = msgspec.json.Encoder().encode


def is_too_deep(text: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether JSON text is nested more than `limit` deep."""
    return any(nesting(text, limit))


def nesting(text: bytes, limit: int = MAX_DEPTH) -> Iterator[bool]:
    """Counts window by window, and says of each whether the text is nested too deep by its end.

    Brackets within strings don't count.
    """
    opened = 0
    for more in mark_counts(text, b"{["):
        opened += more
        yield False
    if opened <= limit:
        return
    depth = 0
    for outside in _outside_strings(text, _NO_MARKS):
        outside = outside.translate(_MARKS)
        for first in range(0, len(outside), _CHUNK_BYTES):
            chunk = outside[first : first + _CHUNK_BYTES]
            opened = chunk.count(b"(")
            if depth + opened > limit:
                steps = map(_STEP.__getitem__, chunk)
                if max(accumulate(steps, initial=depth)) > limit:
                    yield True
                    return
            depth += 2 * opened - len(chunk)
        yield False


def mark_counts(text: bytes, marks: bytes) -> Iterator[int]:
    """How often any of `marks` occurs in each part of the text, within strings as well."""
    for start in range(0, len(text), SEARCHED_AT_ONCE_BYTES):
        part = text[start : start + SEARCHED_AT_ONCE_BYTES]
        yield sum(map(part.count, marks))


def value_counts(text: bytes) -> Iterator[int]:
    """The number of values that begin in each window, with those in lists and objects; a string is
    one value.
    """
    for outside in _outside_strings(text, _NO_SEPARATORS):
        yield len(outside)


def _outside_strings(text: bytes, left_out: bytes) -> Iterator[bytes]:
    """The text between strings, window by window, without the bytes in `left_out`."""
    quoted, start = False, 0
    while start < len(text):
        end = _window_end(text, start)
        window = text[start:end].replace(b"\\\\", b"").replace(b'\\"', b"")
        # Two quotes with no mark between them leave what is around them within, or without.
        marks = window.translate(None, delete=left_out).replace(b'""', b"")
        parts = marks.split(b'"')
        yield b"".join(parts[quoted::2])
        quoted ^= len(parts) % 2 == 0
        start = end


def _window_end(text: bytes, start: int) -> int:
    """The end of a window that cuts no escape in two."""
    end = start + COUNTED_AT_ONCE_BYTES
    if text[end - 1 : end] != b"\\":
        return end
    run = _BACKSLASHES.match(text, end)
    return end if run is None else run.end() + 1


def has_half_pair(text: bytes, limit_bytes: int = MAX_FRAME_BYTES) -> bool:
    """Whether an escape in JSON text is half of a surrogate pair, which no UTF-8 can say."""
    return b"\\u" in text and any(match[1] for match in _ESCAPE.finditer(text, 0, limit_bytes))


def written_anew(text: str | bytes) -> Raw:
    """JSON that a person wrote, on one line; of a repeated key the last counts.

    Raises `DeskbusError` (invalid_params): it is no JSON, or the backend would refuse it.
    """
    try:
        value = json.loads(text, parse_constant=_no_number, parse_int=_whole_number)
        written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        anew = written.encode()
    except UnicodeEncodeError:
        raise DeskbusError(INVALID_PARAMS, HALF_PAIR) from None
    except RecursionError:
        raise DeskbusError(INVALID_PARAMS, _TOO_DEEP) from None
    except ValueError as error:
        raise DeskbusError(INVALID_PARAMS, f"This is not JSON: {error}") from None
    if is_too_deep(anew):
        raise DeskbusError(INVALID_PARAMS, _TOO_DEEP)
    return Raw(anew)


def sayable(text: str, characters: int) -> str:
    """The first characters of a text, all of which can be sent: others are replaced."""
    return text[:characters].encode(errors="replace").decode()


def encoded(value: object) -> Raw:
    """A value as JSON on one line, `Raw` parts written anew where that takes it.

    Raises `DeskbusError` (invalid_params) for what JSON can't say, or the backend would refuse.
    """
    return Raw(_checked(lambda: encode(value)))


def sendable(build: Callable[[], bytes]) -> bytes:
    """The frame that `build` makes; raises `DeskbusError` (invalid_params, too_large) where the
    backend would refuse it unread.
    """
    frame = _checked(build)
    if len(frame) >= MAX_FRAME_BYTES:
        raise DeskbusError(TOO_LARGE)
    return frame


_TOO_DEEP = f"The value is nested more than {MAX_DEPTH} deep, its frame included."


def _checked(build: Callable[[], bytes]) -> bytes:
    try:
        text = build()
    except UnicodeEncodeError:
        raise DeskbusError(INVALID_PARAMS, HALF_PAIR) from None
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        words = f"The value can not be written as JSON: {error}."
        raise DeskbusError(INVALID_PARAMS, words) from None
    if b"\n" in text:
        # No encoder writes one: a part was given as it is.
        text = bytes(written_anew(text))
    if has_half_pair(text):
        raise DeskbusError(INVALID_PARAMS, HALF_PAIR)
    if is_too_deep(text):
        raise DeskbusError(INVALID_PARAMS, _TOO_DEEP)
    return text


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _whole_number(digits: str) -> int:
    most = sys.int_info.default_max_str_digits
    if len(digits) > most:
        raise ValueError(f"a number has at most {most:,} digits")
    return int(digits)
