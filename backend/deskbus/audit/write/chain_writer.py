"""The growing end of the log: turns events into chained, signed lines and puts them on disk.

Synchronous, for one thread. After an `OSError` it is of no further use: `abandon` it, and open the
folder anew, as after a crash.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deskbus.audit.format import checkpoint, key_ratchet, record
from deskbus.audit.format.checkpoint import Checkpoint, CheckpointHead, Torn
from deskbus.audit.format.lines import checkpoint_line, head_line
from deskbus.audit.format.merkle import Frontier, leaf_hash
from deskbus.audit.format.record import Stamped
from deskbus.audit.format.signed_note import public_of
from deskbus.audit.store.audit_folder import AuditFolder
from deskbus.audit.store.key_file import KeyFile, KeyState

BATCH_RECORDS = 256
FILE_BATCHES = 1024
"""A file ends after so many checkpoints, so that the proof of a record is never long."""

KEYS_EVERY_S = 1.0
"""How long a seed may stay on disk after its batch was signed."""

DAY_MS = 86_400_000


class Clock(Protocol):
    def now_ms(self) -> int:
        """Unix milliseconds."""

    def mono_us(self) -> int:
        """Microseconds that never go back while this process lives."""


class End(NamedTuple):
    """Where a log ends, and the keys with which it goes on."""

    origin: str
    frontier: Frontier
    prev: bytes
    batch: int
    seed: bytearray
    head_seed: bytes
    file: int


class ChainWriter:
    def __init__(
        self,
        folder: AuditFolder,
        keys: KeyFile,
        clock: Clock,
        end: End,
        *,
        boot: str,
        max_bytes: int,
    ) -> None:
        self._folder = folder
        self._keys = keys
        self._clock = clock
        self._boot = boot
        self._max_bytes = max_bytes
        self._origin, self._frontier, self._prev, self._batch, self._seed, self._head_seed, _ = end
        self._file = end.file
        self._signer = key_ratchet.signing_key(end.seed)
        self._descriptor = -1
        self._bytes = 0
        self._day = 0
        self._first_batch = 0
        self._keys_saved_us = 0
        self._root = self._frontier.root()
        self.newest = ""

    @property
    def size(self) -> int:
        """Records in the log, those that retention removed among them."""
        return self._frontier.size

    @property
    def root(self) -> bytes:
        return self._root

    @property
    def file(self) -> int:
        """The number of the file that is being written."""
        return self._file

    def begin_file(self, torn: Torn | None = None) -> None:
        """Ends the file and begins the next. The head is in the key file before it is in the log,
        so a crash in between writes that head and signs no other in its place.
        """
        before = self._file
        seed, head_seed = key_ratchet.new_seed(), bytes(key_ratchet.new_seed())
        head = CheckpointHead(
            number=before + 1,
            boot=self._boot,
            head=public_of(Ed25519PrivateKey.from_private_bytes(head_seed)),
            torn=torn,
        )
        note = checkpoint.sign(
            self._checkpoint(self._frontier, self._batch, seed, head),
            key_ratchet.recovery_key(self._seed),
            Ed25519PrivateKey.from_private_bytes(self._head_seed),
        )
        line = head_line(note, self._frontier)
        key_ratchet.wipe(self._seed)
        self._seed, self._head_seed = seed, head_seed
        self._signer = key_ratchet.signing_key(seed)
        self._batch += 1
        self._file = before + 1
        self._root = self._frontier.root()
        self._save_keys(pending=line.decode())
        self._close_descriptor()
        self._start_file(line, note)
        self._folder.finish(before)

    def go_on(self, head: bytes, note: str) -> None:
        """Writes a head that the key file had ready when the process before ended."""
        self._file += 1
        self._start_file(head, note)

    def append(self, group: Sequence[Stamped]) -> list[bytes]:
        """Returns the lines of the records, which are on the disk then; raises `OSError`."""
        day = self._clock.now_ms() // DAY_MS
        full = self._bytes > self._max_bytes or self._batch - self._first_batch >= FILE_BATCHES
        if full or day != self._day:
            self.begin_file()
        frontier, prev, batch = self._frontier.copy(), self._prev, self._batch
        seed, signer = bytearray(self._seed), self._signer
        boot = self._boot.encode()
        lines: list[bytes] = []
        content: list[bytes] = []
        note = self.newest
        for start in range(0, len(group), BATCH_RECORDS):
            key = key_ratchet.first_mac_key(seed)
            for stamped in group[start : start + BATCH_RECORDS]:
                unsigned = record.unsigned_line(stamped, frontier.size, prev, boot)
                line = record.close_line(unsigned, key_ratchet.mac(key, unsigned))
                key = key_ratchet.next_mac_key(key)
                prev = leaf_hash(line)
                frontier.append(prev)
                lines.append(line)
                content.append(line)
            following = key_ratchet.next_seed(seed)
            key_ratchet.wipe(seed)
            next_signer = key_ratchet.signing_key(following)
            note = checkpoint.sign(
                self._checkpoint(frontier, batch, following, signer=next_signer), signer
            )
            signed = checkpoint_line(note)
            prev = leaf_hash(signed)
            content.append(signed)
            seed, signer, batch = following, next_signer, batch + 1
        written = b"\n".join(content) + b"\n"
        self._folder.write(self._descriptor, written)
        self._bytes += len(written)
        key_ratchet.wipe(self._seed)
        self._frontier, self._prev, self._batch = frontier, prev, batch
        self._seed, self._signer, self.newest = seed, signer, note
        self._root = frontier.root()
        return lines

    def keep_keys(self) -> bool:
        """Saves the newest seed in place of an older one where it is time; whether it did."""
        if self._clock.mono_us() - self._keys_saved_us < KEYS_EVERY_S * 1_000_000:
            return False
        self._save_keys()
        return True

    def close(self) -> None:
        self._save_keys()
        self._close_descriptor()
        self._folder.finish(self._file)
        key_ratchet.wipe(self._seed)

    def abandon(self) -> None:
        """Takes back what the write that failed left of itself."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                self._folder.cut(self._descriptor, self._bytes)
        self._close_descriptor()
        key_ratchet.wipe(self._seed)

    def _checkpoint(
        self,
        frontier: Frontier,
        batch: int,
        following: bytearray,
        head: CheckpointHead | None = None,
        signer: Ed25519PrivateKey | None = None,
    ) -> Checkpoint:
        return Checkpoint(
            origin=self._origin,
            size=frontier.size,
            root=frontier.root(),
            batch=batch,
            time_ms=self._clock.now_ms(),
            next=public_of(signer or key_ratchet.signing_key(following)),
            recover=public_of(key_ratchet.recovery_key(following)),
            head=head,
        )

    def _start_file(self, line: bytes, note: str) -> None:
        self._bytes = 0
        self._descriptor = self._folder.open_to_append(self._file)
        there = os.fstat(self._descriptor).st_size
        # A crash while a head was written left its beginning, which is the same.
        if there and not self._folder.begins(self._file, line + b"\n"):
            raise FileExistsError(errno.EEXIST, "a file that is not the log's is in its place")
        self._folder.write(self._descriptor, (line + b"\n")[there:])
        self._folder.sync_names()
        self._bytes = len(line) + 1
        self._first_batch = self._batch
        self._day = self._clock.now_ms() // DAY_MS
        self._prev = leaf_hash(line)
        self.newest = note

    def _save_keys(self, pending: str = "") -> None:
        self._keys.save(
            KeyState(
                origin=self._origin,
                batch=self._batch,
                seed=bytes(self._seed),
                head_seed=self._head_seed,
                size=self._frontier.size,
                root=self._root,
                pending=pending,
            )
        )
        self._keys_saved_us = self._clock.mono_us()

    def _close_descriptor(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
