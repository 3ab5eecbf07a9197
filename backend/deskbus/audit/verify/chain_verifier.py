"""Follows the lines of a log in order, from head to head, and stops where they don't fit."""

import hashlib

import msgspec

from deskbus.audit.format import checkpoint, record
from deskbus.audit.format.checkpoint import Checkpoint
from deskbus.audit.format.lines import CHECKPOINT, LineError, read_checkpoint, read_head
from deskbus.audit.format.merkle import Frontier, leaf_hash
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.verify.clock_steps import ClockCheck, ClockStep

MAX_UNSIGNED = 100_000
"""Lines behind the last checkpoint of a file; what a crash leaves is far less."""

_PRUNED = b'"type":"audit.pruned"'


class Tampered(Exception):  # noqa: N818  # a verdict
    """`seq` is the record, or the number of records, where it shows."""

    def __init__(self, reason: str, seq: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seq = seq


class _Through(msgspec.Struct, frozen=True):
    through: int


class ChainVerifier:
    """`signer` is the key that must have signed the head of the first file to come."""

    def __init__(self, origin: str, signer: bytes) -> None:
        self._origin = origin
        self._head_signer = signer
        # Of a file before that was removed, what it said of `recover` is gone with it.
        self._next = self._recover = signer
        self._last: Checkpoint | None = None
        self._tail: list[bytes] = []
        self._rest = b""
        self._prev = b""
        self._frontier = Frontier()
        self._clocks = ClockCheck()
        self.first = 0
        self.pruned_through = -1
        self.steps: list[ClockStep] = []
        self.unclean_ends: list[tuple[int, int, int]] = []
        self.newest = ""
        self.roots: dict[int, bytes] = {}

    @property
    def size(self) -> int:
        """Records that a checkpoint covers."""
        return self._frontier.size

    @property
    def unsigned(self) -> tuple[int, int]:
        """Whole lines behind the newest checkpoint, and bytes behind those."""
        return len(self._tail), len(self._rest)

    def begin_file(self, line: bytes, number: int) -> None:
        """Raises `Tampered`."""
        try:
            head = read_head(line)
            found = checkpoint.read(head.note, self._head_signer, self._recover)
        except LineError as error:
            raise Tampered(str(error), self.size) from None
        except NoteError as error:
            raise Tampered(f"the head of the file: {error}", self.size) from None
        if found.head is None or found.origin != self._origin or found.head.number != number:
            raise Tampered("the head of the file belongs to another file", self.size)
        if self._last is None:
            try:
                self._frontier = head.frontier(found.size)
            except LineError as error:
                raise Tampered(str(error), self.size) from None
            self.first = found.size
        else:
            if found.batch != self._last.batch + 1:
                raise Tampered("the head of the file does not follow the file before", self.size)
            self._add_tail(found)
        self._settle(found, head.note)
        self._head_signer = found.head.head
        self._prev = leaf_hash(line)

    def take(self, lines: list[bytes]) -> None:
        """The lines behind a head; raises `Tampered`."""
        tail = self._tail
        for line in lines:
            if not line.startswith(CHECKPOINT):
                tail.append(line)
                continue
            for covered in tail:
                self._cover(covered)
            tail.clear()
            try:
                note = read_checkpoint(line)
                found = checkpoint.read(note, self._next)
            except (LineError, NoteError) as error:
                raise Tampered(f"the checkpoint behind this record: {error}", self.size) from None
            if self._last is None or found.batch != self._last.batch + 1 or found.head is not None:
                raise Tampered("a checkpoint is missing, or comes twice", self.size)
            self._settle(found, note)
            self._prev = leaf_hash(line)
        if len(tail) > MAX_UNSIGNED:
            raise Tampered("no checkpoint covers these records", self.size)

    def end_file(self, rest: bytes) -> None:
        self._rest = rest

    def _add_tail(self, head: Checkpoint) -> None:
        """The unsigned end of the file before: records the head covers, and bytes it counts."""
        unsigned = head.size - self.size
        if not 0 <= unsigned <= len(self._tail):
            raise Tampered("records at the end of the file before are missing", self.size)
        for line in self._tail[:unsigned]:
            self._cover(line)
        torn = b"".join(line + b"\n" for line in self._tail[unsigned:]) + self._rest
        said = head.head.torn if head.head else None
        if (said.length if said else 0) != len(torn) or (
            said is not None and said.sha256 != hashlib.sha256(torn).digest()
        ):
            raise Tampered("the end of the file before is not what its successor found", self.size)
        if unsigned or torn:
            self.unclean_ends.append((self.size, unsigned, len(torn)))
        self._tail = []
        self._rest = b""

    def _cover(self, line: bytes) -> None:
        """One record: in its place, behind the right one; raises `Tampered`."""
        frontier = self._frontier
        if not line.startswith(record.prefix(frontier.size, self._prev)):
            raise Tampered("the record does not follow the one before it", frontier.size)
        self._prev = leaf_hash(line)
        try:
            step = self._clocks.check(record.times(line))
            if _PRUNED in line:
                through = msgspec.json.decode(line, type=_Through).through
                self.pruned_through = max(self.pruned_through, through)
        except (msgspec.MsgspecError, ValueError):
            raise Tampered("the record is not one that this log writes", frontier.size) from None
        if step is not None:
            self.steps.append(step)
        frontier.append(self._prev)

    def _settle(self, found: Checkpoint, note: str) -> None:
        """The checkpoint covers exactly what was read; raises `Tampered`."""
        root = self._frontier.root()
        if found.size != self.size:
            raise Tampered("the checkpoint covers another number of records", self.size)
        if found.root != root:
            raise Tampered("a record before this one was changed", self.size)
        self.roots[found.size] = root
        self._last = found
        self._next, self._recover = found.next, found.recover
        self.newest = note
