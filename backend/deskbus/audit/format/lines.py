"""The two lines of a file that are not records: its head, and the checkpoints behind each batch."""

import base64
import binascii
import json

import msgspec

from deskbus.audit.format.checkpoint import refuse_newer_note
from deskbus.audit.format.merkle import Frontier, ProofError

RECORD = b'{"seq":'
CHECKPOINT = b'{"checkpoint":'
HEAD = b'{"head":'


class LineError(ValueError):
    """Not a line that this log writes."""


class _CheckpointLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    checkpoint: str


class _HeadLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    head: str
    frontier: list[str]


class _AnyLine(msgspec.Struct, frozen=True):
    """Records to which a later version may have added members."""

    checkpoint: str = ""
    head: str = ""


class HeadLine(msgspec.Struct, frozen=True):
    """The head's note, and the subtrees of all records before this file."""

    note: str
    nodes: list[bytes]

    def frontier(self, size: int) -> Frontier:
        """Raises `LineError`."""
        try:
            return Frontier(size, self.nodes)
        except ProofError:
            raise LineError("the head of the file does not fit its own size") from None


def checkpoint_line(note: str) -> bytes:
    return json.dumps({"checkpoint": note}, separators=(",", ":")).encode()


def head_line(note: str, frontier: Frontier) -> bytes:
    nodes = [base64.b64encode(node).decode() for node in frontier.nodes]
    return json.dumps({"head": note, "frontier": nodes}, separators=(",", ":")).encode()


def read_checkpoint(line: bytes) -> str:
    """The note; raises `LineError`, `NewerFormatError`."""
    try:
        return msgspec.json.decode(line, type=_CheckpointLine).checkpoint
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        _refuse_newer(line)
        raise LineError("the line of a checkpoint is damaged") from None


def read_head(line: bytes) -> HeadLine:
    """Raises `LineError`, `NewerFormatError`."""
    try:
        found = msgspec.json.decode(line, type=_HeadLine)
        return HeadLine(found.head, [base64.b64decode(n, validate=True) for n in found.frontier])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, binascii.Error):
        _refuse_newer(line)
        raise LineError("the file does not begin with its head") from None


def _refuse_newer(line: bytes) -> None:
    try:
        found = msgspec.json.decode(line, type=_AnyLine)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return
    refuse_newer_note(found.checkpoint or found.head)
