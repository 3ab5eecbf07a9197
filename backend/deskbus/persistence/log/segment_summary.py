"""A closed segment's index in a file beside it, so that a start reads the newest segment only.

It is never needed: where it is missing or does not fit, the segment is scanned instead.
"""

import os
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from deskbus.persistence.log.checksum import crc32c
from deskbus.persistence.log.file_operations import Files
from deskbus.persistence.log.segment import SEGMENT_BYTES
from deskbus.persistence.log.segment_index import SegmentIndex, TopicRun
from deskbus.storage.newer_format import NewerFormatError

SUFFIX = ".idx"
VERSION: Final = 1
_CRC_BYTES = 4


class _Run(NamedTuple):
    """As `TopicRun`, with each topic by its place among the names."""

    offset: int
    length: int
    first_ms: int
    last_ms: int
    first_position: int
    end_position: int
    topics: list[int] | None


class _SummaryVersion(msgspec.Struct, frozen=True, array_like=True):
    version: int


class _Summary(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    version: Literal[1] = VERSION
    size_bytes: int
    messages: int
    names: list[str]
    last_seqs: list[int]
    runs: list[_Run]


def summary_path(segment: Path) -> Path:
    return segment.with_suffix(SUFFIX)


def save_summary(index: SegmentIndex, last_seqs: dict[str, int], files: Files) -> None:
    """Raises `OSError`; what is there then does not count as a summary."""
    number = {name: place for place, name in enumerate(last_seqs)}
    runs = [
        _Run(*run[:-1], None if run.topics is None else [number[name] for name in run.topics])
        for run in index.runs
    ]
    body = msgspec.json.encode(
        _Summary(
            size_bytes=index.size_bytes,
            messages=index.messages,
            names=list(last_seqs),
            last_seqs=list(last_seqs.values()),
            runs=runs,
        )
    )
    path = summary_path(index.path)
    files.remove(path)
    descriptor = files.create(path)
    try:
        files.write_at(descriptor, 0, bytearray(crc32c(body).to_bytes(_CRC_BYTES, "little") + body))
    finally:
        os.close(descriptor)


def refuse_newer_summary(segment: Path) -> None:
    """Raises `NewerFormatError` where a later version has summed that segment up."""
    body = _checked_body(segment)
    try:
        version = msgspec.json.decode(body or b"", type=_SummaryVersion).version
    except (msgspec.MsgspecError, RecursionError):
        return
    if version > VERSION:
        raise NewerFormatError("the message log's index")


def load_summary(index: SegmentIndex) -> dict[str, int] | None:
    """Fills `index` and returns the last seq of each topic, or None and leaves it empty.

    Raises `OSError` where the segment itself can't be looked at.
    """
    size_bytes = index.path.stat().st_size
    summary = _read(index.path)
    if summary is None or summary.size_bytes != size_bytes or not summary.runs:
        return None
    if summary.runs[0].first_position > index.first_position:
        return None
    names = summary.names
    index.restore(
        [
            TopicRun(
                *run[:-1], None if run.topics is None else frozenset(names[n] for n in run.topics)
            )
            for run in summary.runs
        ],
        names,
        summary.messages,
        size_bytes,
    )
    return dict(zip(names, summary.last_seqs, strict=False))


def _checked_body(segment: Path) -> bytes | None:
    """The summary as it was written; None where there is none, or a damaged one."""
    try:
        with summary_path(segment).open("rb") as file:
            content = file.read(SEGMENT_BYTES)
    except OSError:
        return None
    body = content[_CRC_BYTES:]
    return body if crc32c(body) == int.from_bytes(content[:_CRC_BYTES], "little") else None


def last_seqs_of(segment: Path) -> dict[str, int] | None:
    """The last seq of each topic in a closed segment; None where its summary does not tell."""
    summary = _read(segment)
    if summary is None:
        return None
    return dict(zip(summary.names, summary.last_seqs, strict=False))


def _read(segment: Path) -> _Summary | None:
    body = _checked_body(segment)
    try:
        return None if body is None else msgspec.json.decode(body, type=_Summary)
    except (msgspec.MsgspecError, RecursionError):
        return None
