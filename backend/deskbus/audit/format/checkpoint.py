"""Checkpoints (c2sp.org/tlog-checkpoint): how large the log is, its root, and who signs next.

Every batch of records ends in one. It names the public keys of its successor: `next`, which signs
the batch after it, and `recover`, which alone may sign the head of a new file. A head is the
checkpoint that a file begins with. It is signed twice: by `recover`, and by the `head` key that the
head of the file before it named. So all heads by themselves lead from the first key to any file,
and that is what is left of files that retention removed.

A later version that writes other lines says `format N` in the checkpoints of those files; no such
line is format 1.
"""

import base64
import binascii
import re

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deskbus.audit.format import signed_note
from deskbus.audit.format.merkle import HASH_BYTES
from deskbus.storage.newer_format import NewerFormatError

FORMAT = 1
_FORMAT_LINE = re.compile(r"\nformat ([0-9]{1,9})(?:\n|\Z)")


class Torn(msgspec.Struct, frozen=True):
    """Bytes behind the last whole record of the file before: left there, and counted."""

    length: int
    sha256: bytes


class CheckpointHead(msgspec.Struct, frozen=True, kw_only=True):
    """A file's first checkpoint. `boot` is the run that began it, `number` counts files
    from 1.
    """

    number: int
    boot: str
    head: bytes
    torn: Torn | None = None


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`batch` counts checkpoints from 0, `time_ms` is Unix milliseconds; keys are Ed25519's."""

    origin: str
    size: int
    root: bytes
    batch: int
    time_ms: int
    next: bytes
    recover: bytes
    head: CheckpointHead | None = None


def sign(checkpoint: Checkpoint, *keys: Ed25519PrivateKey) -> str:
    return signed_note.sign(_body(checkpoint), checkpoint.origin, keys)


def read(text: str, *signers: bytes) -> Checkpoint:
    """A checkpoint that each of `signers` (public keys) has signed.

    Raises `NoteError`, and `NewerFormatError` for a later version's. Without signers it is only
    read, and proves nothing.
    """
    body, _ = signed_note.split(text)
    for public in signers:
        signed_note.verify(text, body.partition("\n")[0], public)
    refuse_newer_note(text)
    return _parse(body)


def refuse_newer_note(text: str) -> None:
    """Raises `NewerFormatError` for a note of a later version."""
    body, _, _ = text.rpartition("\n\n")
    found = _FORMAT_LINE.search(body)
    if found and int(found[1]) > FORMAT:
        raise NewerFormatError("the audit log")


def _body(checkpoint: Checkpoint) -> str:
    lines = [
        checkpoint.origin,
        str(checkpoint.size),
        _encode(checkpoint.root),
        f"batch {checkpoint.batch}",
        f"time {checkpoint.time_ms}",
        f"next {_encode(checkpoint.next)}",
        f"recover {_encode(checkpoint.recover)}",
    ]
    head = checkpoint.head
    if head is not None:
        lines += [f"file {head.number}", f"boot {head.boot}", f"head {_encode(head.head)}"]
        if head.torn is not None:
            lines.append(f"torn {head.torn.length} {_encode(head.torn.sha256)}")
    return "".join(f"{line}\n" for line in lines)


def _parse(body: str) -> Checkpoint:
    lines = body.split("\n")[:-1]
    try:
        origin, size, root, *extensions = lines
        named = dict(line.split(" ", 1) for line in extensions)
        head = None
        if "head" in named:
            torn = None
            if "torn" in named:
                length, digest = named["torn"].split(" ")
                torn = Torn(int(length), _decode(digest))
            head = CheckpointHead(
                number=int(named["file"]),
                boot=named["boot"],
                head=_decode(named["head"]),
                torn=torn,
            )
        return Checkpoint(
            origin=origin,
            size=int(size),
            root=_decode(root),
            batch=int(named["batch"]),
            time_ms=int(named["time"]),
            next=_decode(named["next"]),
            recover=_decode(named["recover"]),
            head=head,
        )
    except (KeyError, ValueError):
        raise signed_note.NoteError("this is not a checkpoint of this log") from None


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decode(text: str) -> bytes:
    """Raises `ValueError` for anything but 32 bytes; hashes and keys have the same length."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
    if len(content) != HASH_BYTES:
        raise ValueError(text)
    return content
