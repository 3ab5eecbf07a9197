"""Recovery of id and method from a frame that was refused."""

import re
from collections.abc import Iterator
from enum import Enum, auto
from itertools import islice
from typing import NamedTuple

import msgspec

from deskbus.rpc.frames import RequestId

MAX_TOKENS = 2000
"""Tokens of a refused frame that are examined, which takes about a millisecond."""

MAX_METHOD_CHARACTERS = 100

_TOKEN = re.compile(rb'[ \t\r\n]*("(?:[^"\\]++|\\.)*+"|[{}\[\]:,]|[^\s"{}\[\]:,]++)', re.DOTALL)
_decode_id = msgspec.json.Decoder(RequestId).decode
_decode_text = msgspec.json.Decoder(str).decode


class Kind(Enum):
    REQUEST = auto()
    NOTIFICATION = auto()
    ANSWER = auto()
    UNKNOWN = auto()


class RecoveredEnvelope(NamedTuple):
    """`request_id` is raw JSON: of a request, or of the call that an answer is for."""

    kind: Kind
    request_id: bytes = b""
    method: str = ""


UNKNOWN = RecoveredEnvelope(Kind.UNKNOWN)


def recover_envelope(frame: bytes) -> RecoveredEnvelope:
    """Reads the members of the envelope as far as they can be told; `frame` may be cut short.

    An id counts where it stands in the envelope itself, once. That nothing else was said can only
    be told of a frame that is there whole.
    """
    members = _Envelope(frame)
    ids, methods = members.values(b'"id"'), members.values(b'"method"')
    if members.odd or len(ids) > 1 or len(methods) > 1:
        return UNKNOWN
    method = _method(methods[0]) if methods else ""
    asks = bool(methods or members.values(b'"params"'))
    answers = bool(members.values(b'"result"') or members.values(b'"error"'))
    if asks == answers:
        return UNKNOWN
    if not ids:
        return (
            RecoveredEnvelope(Kind.NOTIFICATION, b"", method) if asks and members.whole else UNKNOWN
        )
    if not _is_id(ids[0]):
        return UNKNOWN
    return RecoveredEnvelope(Kind.REQUEST if asks else Kind.ANSWER, ids[0], method)


class _Envelope:
    """The members of the outermost object, in a list, nested values left out."""

    def __init__(self, frame: bytes) -> None:
        self._members: list[tuple[bytes, bytes]] = []
        self.whole = False
        self.odd = False
        """Whether a name is written with escapes, and so may be any name."""
        tokens = islice(_tokens(frame), MAX_TOKENS)
        if next(tokens, b"") == b"{":
            self._read(tokens)

    def values(self, key: bytes) -> list[bytes]:
        return [value for name, value in self._members if name == key]

    def _read(self, tokens: Iterator[bytes]) -> None:
        for key in tokens:
            if not key.startswith(b'"') or next(tokens, b"") != b":":
                return
            self.odd = self.odd or b"\\" in key
            value = next(tokens, b"")
            nested = value in (b"{", b"[")
            self._members.append((key, b"" if nested else value))
            if nested and not _skip(tokens):
                return
            end = next(tokens, b"")
            if end != b",":
                self.whole = end == b"}"
                return


def _tokens(frame: bytes) -> Iterator[bytes]:
    at = 0
    while match := _TOKEN.match(frame, at):
        yield match[1]
        at = match.end()


def _skip(tokens: Iterator[bytes]) -> bool:
    """Leaves out the rest of a nested value; says whether it ended."""
    depth = 1
    for token in tokens:
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
            if not depth:
                return True
    return False


def _is_id(text: bytes) -> bool:
    """Whether the text is an id that says which call is meant."""
    try:
        return _decode_id(text) is not None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


def _method(text: bytes) -> str:
    try:
        return _decode_text(text)[:MAX_METHOD_CHARACTERS]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
