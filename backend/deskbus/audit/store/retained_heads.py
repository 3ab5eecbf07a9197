"""The heads of files that retention removed; they lead on from the genesis key."""

import contextlib
from pathlib import Path
from typing import NamedTuple

from deskbus.audit.format import checkpoint
from deskbus.audit.format.lines import LineError, read_head
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.store.audit_folder import read_removed_heads


class PruneError(Exception):
    """The heads that were kept don't lead on; the message says where."""


class RetainedHeads(NamedTuple):
    """`signers[n]` is the key that signs the head of file n + 1; `roots` are known by size."""

    signers: list[bytes]
    roots: dict[int, bytes]


def retained_heads(folder: Path, origin: str, genesis: bytes) -> RetainedHeads:
    """Raises `PruneError`, `OSError`, `NewerFormatError`. Where nothing was removed, the genesis
    key alone is known.
    """
    signers = [genesis]
    roots: dict[int, bytes] = {}
    for line in read_removed_heads(folder):
        number = len(signers)
        try:
            found = checkpoint.read(read_head(line).note, signers[-1])
        except (NoteError, LineError):
            raise PruneError(f"the head that was kept of file {number} is not genuine") from None
        if found.head is None or found.origin != origin or found.head.number != number:
            raise PruneError(f"the head of file {number} is missing")
        signers.append(found.head.head)
        roots[found.size] = found.root
    return RetainedHeads(signers, roots)


def refuse_newer_heads(folder: Path) -> None:
    """Raises `NewerFormatError` where a later version kept one of the heads, and `OSError`."""
    for line in read_removed_heads(folder):
        with contextlib.suppress(NoteError, LineError):
            checkpoint.read(read_head(line).note)
