"""Somebody who can write every file of a log, knows its format, and has none of its keys."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deskbus.audit.format import checkpoint, record, signed_note
from deskbus.audit.format.lines import (
    CHECKPOINT,
    HEAD,
    RECORD,
    checkpoint_line,
    head_line,
    read_checkpoint,
    read_head,
)
from deskbus.audit.format.merkle import Frontier, leaf_hash
from deskbus.audit.store.audit_folder import list_files

_SEQ_AND_PREV = re.compile(rb'^\{"seq":\d+,"prev":"[^"]*","time":')


def paths(folder: Path) -> list[Path]:
    return [file.path for file in list_files(folder)]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def put_lines(path: Path, lines: Iterable[bytes]) -> None:
    path.chmod(0o600)
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def change(path: Path, edit: Callable[[list[bytes]], None]) -> None:
    lines = lines_of(path)
    edit(lines)
    put_lines(path, lines)


def record_at(lines: list[bytes], number: int) -> int:
    """The place in the file of its record `number`, from 0; from the end with less."""
    places = [at for at, line in enumerate(lines) if line.startswith(RECORD)]
    return places[number]


def recompute(folder: Path, key: Ed25519PrivateKey | None = None) -> None:
    """Makes every sequence, hash, root and size fit again, as the log itself would.

    Checkpoints are signed with `key`; without one they keep the signatures that they had.
    """
    frontier = Frontier()
    prev = b""
    for path in paths(folder):
        made = []
        for line in lines_of(path):
            if line.startswith(RECORD):
                begins = _SEQ_AND_PREV.match(line)
                assert begins is not None
                line = record.prefix(frontier.size, prev) + line[begins.end() :]
                frontier.append(leaf_hash(line))
            elif line.startswith(CHECKPOINT):
                line = checkpoint_line(_refit(read_checkpoint(line), frontier, key))
            elif line.startswith(HEAD):
                line = head_line(_refit(read_head(line).note, frontier, key), frontier)
            prev = leaf_hash(line)
            made.append(line)
        put_lines(path, made)


def _refit(signed: str, frontier: Frontier, key: Ed25519PrivateKey | None) -> str:
    before = checkpoint.read(signed)
    body, _, signatures = signed.rpartition("\n\n")
    lines = body.split("\n")
    lines[1] = str(frontier.size)
    lines[2] = checkpoint._encode(frontier.root())
    text = "\n".join(lines)
    if key is None:
        return f"{text}\n\n{signatures}"
    return signed_note.sign(f"{text}\n", before.origin, [key])
