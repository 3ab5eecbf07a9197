"""The unit of writing: a header, a table of topics, and a body of whole lines; no I/O here.

    magic 8 | version 1 | flags 1 | unused 2 | messages 4 | first ms 8 | last ms 8 | position 8
    | table bytes 4 | body bytes 4 | CRC-32C of body 4 | CRC-32C of all before it and table 4
    | table: {"topic": [messages, first seq, last seq]} | body: NDJSON, as subscribers got it

All numbers are little-endian. The head has a check of its own, so that a batch can be skipped, and
believed, by its head and table alone. The magic holds a line break followed by what begins no
message, so no text in a body looks like it.

In every version the magic, the version, the flags, the table's length and the second check are
where they are here. So a head that fits its check was written as it stands, by a later version if
it says so, and one that does not is damaged, whichever version it names.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from deskbus.persistence.batch_sealer import BatchSealer, SealingError, UnsealableError
from deskbus.persistence.log.checksum import Buffer, crc32c

MAGIC = b"\x89DBL\r\n\x1a\n"
VERSION = 1
VERSION_AT = len(MAGIC)
COMPRESSED = 1
"""The flag of a body that is compressed with zlib."""

SEALED = 2
"""The flag of a body that is encrypted, after it was compressed."""

MAX_BATCH_BYTES = 10_000_000
"""Nothing longer is written; a length beyond it is taken for damage and never allocated."""

COMPRESSION_LEVEL = 1

_FIELDS = struct.Struct("<8sBBHIqqQIII")
_CRC = struct.Struct("<I")
HEAD_BYTES = _FIELDS.size + _CRC.size


class TopicRange(NamedTuple):
    """The number of messages of a topic in a batch, and its first and last seq there."""

    messages: int
    first_seq: int
    last_seq: int


Table: TypeAlias = dict[str, TopicRange]

_encode_table = msgspec.json.Encoder().encode
_decode_table = msgspec.json.Decoder(Table).decode


class BatchError(Exception):
    """No batch that can be read: `torn` where it ends too early, `newer` where a later version
    of deskbus wrote them, else `corrupt`.
    """

    def __init__(self, reason: Literal["torn", "corrupt", "newer"], detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Messages:
    """The messages of one batch, a column for each property; times in ms, sizes in bytes.

    Of the times only the bounds are kept: most messages have the same as the one before. A batch
    that is `late` had to wait for the vault: it keeps its positions, whatever is in the log behind
    them.
    """

    __slots__ = (
        "first_ms",
        "first_position",
        "last_ms",
        "late",
        "lines",
        "seqs",
        "size_bytes",
        "timestamp_ms",
        "topics",
    )

    def __init__(self, first_position: int) -> None:
        self.first_position = first_position
        self.late = False
        self.topics: list[str] = []
        self.seqs: list[int] = []
        self.lines: list[bytes] = []
        self.size_bytes = 0
        self.timestamp_ms = self.first_ms = self.last_ms = -1

    @property
    def end_position(self) -> int:
        return self.first_position + len(self.lines)

    def add(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None:
        self.topics.append(topic)
        self.seqs.append(seq)
        self.lines.append(line)
        self.size_bytes += len(line)
        if timestamp_ms != self.timestamp_ms:
            self.tick(timestamp_ms)

    def tick(self, timestamp_ms: int) -> None:
        """Notes a message whose time differs from the one before."""
        self.first_ms = timestamp_ms if self.first_ms < 0 else min(self.first_ms, timestamp_ms)
        self.last_ms = max(self.last_ms, timestamp_ms)
        self.timestamp_ms = timestamp_ms

    def drop_last(self) -> None:
        self.topics.pop()
        self.seqs.pop()
        self.size_bytes -= len(self.lines.pop())

    def split(self, is_late: Callable[[str], bool]) -> "list[Messages]":
        """The same messages in batches that are `late` as a whole or not; positions stay.

        The bounds of time are those of all, so they may be wider than need be.
        """
        parts: list[Messages] = []
        columns = zip(self.topics, self.seqs, self.lines, strict=True)
        for position, (topic, seq, line) in enumerate(columns, self.first_position):
            late = is_late(topic)
            if not parts or parts[-1].late is not late:
                part = Messages(position)
                part.late = late
                part.first_ms, part.last_ms = self.first_ms, self.last_ms
                part.timestamp_ms = self.timestamp_ms
                parts.append(part)
            parts[-1].add(topic, seq, self.timestamp_ms, line)
        return parts

    def table(self) -> Table:
        topics, seqs = self.topics, self.seqs
        if topics.count(topics[0]) == len(topics):
            return {topics[0]: TopicRange(len(topics), seqs[0], seqs[-1])}
        counts = Counter(topics)
        last = dict(zip(topics, seqs, strict=True))
        first = dict(zip(reversed(topics), reversed(seqs), strict=True))
        return {topic: TopicRange(n, first[topic], last[topic]) for topic, n in counts.items()}


class BatchHead(NamedTuple):
    """Times are the earliest and the latest within; a position counts all messages kept."""

    flags: int
    messages: int
    first_ms: int
    last_ms: int
    first_position: int
    table_bytes: int
    body_bytes: int
    body_crc: int

    @property
    def size_bytes(self) -> int:
        return HEAD_BYTES + self.table_bytes + self.body_bytes

    @property
    def end_position(self) -> int:
        return self.first_position + self.messages


class Encoded(NamedTuple):
    head: BatchHead
    table: Table
    data: bytearray


def encode(
    messages: Messages, *, compress: bool = False, sealer: BatchSealer | None = None
) -> Encoded:
    """Raises `ValueError` for no messages, and for more than `MAX_BATCH_BYTES`; `SealingError`."""
    if not messages.lines:
        raise ValueError("a batch holds at least one message")
    table = messages.table()
    names = _encode_table(table)
    start = HEAD_BYTES + len(names)
    data = bytearray().join((bytes(HEAD_BYTES), names, *messages.lines))
    if count_lines(data[start:]) != len(messages.lines) or data[-1:] != b"\n":
        data[start:] = b"".join(map(_one_line, messages.lines))
    if compress:
        with memoryview(data) as view:
            packed = zlib.compress(view[start:], COMPRESSION_LEVEL)
        data[start:] = packed
    sealed = sealer is not None and sealer.covers(table)
    if sealer is not None and sealed:
        data[start:] = sealer.seal(bytes(data[start:]), messages.first_position)
    if len(data) > MAX_BATCH_BYTES:
        raise ValueError(f"a batch has at most {MAX_BATCH_BYTES} bytes")
    with memoryview(data) as view:
        head = BatchHead(
            (COMPRESSED if compress else 0) | (SEALED if sealed else 0),
            len(messages.lines),
            messages.first_ms,
            messages.last_ms,
            messages.first_position,
            len(names),
            len(data) - start,
            crc32c(view[start:]),
        )
    _FIELDS.pack_into(data, 0, MAGIC, VERSION, head.flags, 0, *head[1:])
    _CRC.pack_into(data, _FIELDS.size, crc32c(names, crc32c(data[: _FIELDS.size])))
    return Encoded(head, table, data)


def read_head(data: Buffer, at: int = 0) -> BatchHead:
    """The head at `at`, not yet checked against its CRC; raises `BatchError`."""
    if len(data) - at < HEAD_BYTES:
        # Only what this version can have begun to write may be cut off.
        ours = bytes((*MAGIC, VERSION))
        torn = ours.startswith(bytes(data[at : at + len(ours)]))
        raise BatchError("torn" if torn else "corrupt", "the head is cut off")
    magic, _version, flags, _unused, *fields = _FIELDS.unpack_from(data, at)
    if magic != MAGIC:
        raise BatchError("corrupt", "no batch begins here")
    head = BatchHead(flags, *fields)
    if head.size_bytes > MAX_BATCH_BYTES or not head.messages:
        raise BatchError("corrupt", "the lengths can't be right")
    return head


def read_table(data: memoryview, head: BatchHead, at: int = 0) -> memoryview:
    """The table of the head at `at`, as it is written; checks both. Raises `BatchError`."""
    start = at + HEAD_BYTES
    end = start + head.table_bytes
    version = data[at + VERSION_AT]
    if end > len(data):
        raise BatchError("torn" if version == VERSION else "corrupt", "the table is cut off")
    table = data[start:end]
    fields_end = at + _FIELDS.size
    (crc,) = _CRC.unpack_from(data, fields_end)
    if crc32c(table, crc32c(data[at:fields_end])) != crc:
        raise BatchError("corrupt", "the head's checksum is wrong")
    if version > VERSION or head.flags & ~(COMPRESSED | SEALED):
        words = f"written by a newer deskbus (format {version}, flags {head.flags})"
        raise BatchError("newer", words)
    if version != VERSION:
        raise BatchError("corrupt", f"there is no format {version}")
    return table


def decode_table(table: Buffer) -> Table:
    """Raises `BatchError`."""
    try:
        return _decode_table(table)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BatchError("corrupt", "the table can't be read") from error


def read_body(data: memoryview, head: BatchHead, at: int = 0) -> memoryview:
    """The body of the batch at `at` as it is written, checked; raises `BatchError`."""
    start = at + HEAD_BYTES + head.table_bytes
    end = start + head.body_bytes
    if end > len(data):
        raise BatchError("torn", "the body is cut off")
    body = data[start:end]
    if crc32c(body) != head.body_crc:
        raise BatchError("corrupt", "the body's checksum is wrong")
    return body


def unpack_body(head: BatchHead, body: Buffer, sealer: BatchSealer | None = None) -> Buffer:
    """The lines of a checked body; raises `BatchError`, also where it can't be unsealed."""
    if head.flags & SEALED:
        if sealer is None:
            raise BatchError("corrupt", "the body is encrypted, and there is no key for it")
        try:
            body = sealer.unseal(bytes(body), head.first_position)
        except SealingError as error:
            raise BatchError("corrupt", f"the body is encrypted, and {error}") from None
        except UnsealableError:
            raise BatchError("corrupt", "the encrypted body was changed") from None
    if not head.flags & COMPRESSED:
        return body
    unpacker = zlib.decompressobj()
    try:
        lines = unpacker.decompress(body, MAX_BATCH_BYTES)
    except zlib.error as error:
        raise BatchError("corrupt", "the body can't be decompressed") from error
    if not unpacker.eof:
        raise BatchError("corrupt", "the body is longer than a batch can be")
    return lines


def count_lines(body: bytes | bytearray) -> int:
    """As `count` would, which looks at each byte; `replace` jumps from one to the next."""
    return len(body) - len(body.replace(b"\n", b""))


def _one_line(line: bytes) -> bytes:
    """Replaces line breaks, which in JSON text are white space between tokens, by spaces."""
    return line.rstrip(b"\n").replace(b"\n", b" ") + b"\n"
