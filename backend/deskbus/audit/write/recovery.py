"""Opens the log to write on: after a clean end, after a crash, or as a new one.

A file that was written by an earlier process is never written to again. Its unsigned end, the
records behind the last checkpoint, is taken in if their MACs fit; what stands behind them stays
where it is, and the next head tells its length and hash. No byte changes, no key signs twice.
"""

import hashlib
import secrets
import time
from typing import NamedTuple

from deskbus.audit.format import checkpoint, key_ratchet, record, signed_note
from deskbus.audit.format.checkpoint import Checkpoint, Torn
from deskbus.audit.format.lines import CHECKPOINT, LineError, read_checkpoint, read_head
from deskbus.audit.format.merkle import Frontier, leaf_hash
from deskbus.audit.format.signed_note import NoteError, public_of
from deskbus.audit.query.index import is_newer_index
from deskbus.audit.store.anchor import Anchor
from deskbus.audit.store.audit_folder import (
    ANCHOR,
    GENESIS,
    INDEX,
    KEYS,
    PRUNED,
    AuditFile,
    AuditFolder,
    DamagedFileError,
    LineReader,
)
from deskbus.audit.store.key_file import KeyFile, KeyFileError, KeyState
from deskbus.audit.store.retained_heads import refuse_newer_heads
from deskbus.audit.write.chain_writer import ChainWriter, Clock, End

ORIGIN = "deskbus.audit/"


class TamperedError(Exception):
    """The log can't be gone on with: it was changed, cut back, or its keys are gone."""


class SetAsideError(OSError):
    """The log was set aside as `folder` because of `reason`, and no new one could be begun."""

    def __init__(self, folder: str, reason: str, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or "the disk does not take it")
        self.folder = folder
        self.reason = reason


class Opening(NamedTuple):
    """`set_aside` names the folder that a log which could not be gone on with was moved to, and
    `reason` tells why; `unsigned` records were taken in from the end of a process that crashed.
    """

    chain_writer: ChainWriter
    fresh: bool
    unsigned: int
    torn_bytes: int
    set_aside: str
    reason: str


class _Begin(NamedTuple):
    """All that a chain writer is made of, but for where the log ends."""

    folder: AuditFolder
    keys: KeyFile
    clock: Clock
    boot: str
    max_bytes: int

    def chain_writer(self, end: End) -> ChainWriter:
        return ChainWriter(
            self.folder, self.keys, self.clock, end, boot=self.boot, max_bytes=self.max_bytes
        )


class _Survey(NamedTuple):
    """The content of the newest file: `tail` are the records that no checkpoint covers."""

    frontier: Frontier
    last: Checkpoint
    tail: list[bytes]
    rest: bytes
    roots: dict[int, bytes]


def open_log(
    folder: AuditFolder,
    keys: KeyFile,
    clock: Clock,
    *,
    boot: str,
    max_bytes: int,
    anchor: Anchor | None = None,
) -> Opening:
    """Raises `OSError`, among them `SetAsideError`, and `NewerFormatError` for what a later version
    wrote: nothing is changed then. The folder must be claimed.
    """
    begin = _Begin(folder, keys, clock, boot, max_bytes)
    try:
        state = keys.load()
        files = folder.files()
        refuse_newer_heads(folder.path)
        if state is None and not files and not (anchor and anchor.key):
            return _fresh(begin)
        if state is None:
            raise TamperedError("its keys are gone" if files else "all of it is gone")
        if anchor is not None and anchor.key and anchor.key != _key_beside(folder):
            raise TamperedError("it is another log than the one that was anchored")
        return _go_on(begin, state, files, anchor)
    except (TamperedError, KeyFileError, NoteError, LineError, DamagedFileError) as error:
        reason = str(error) or "a file is damaged"
        set_aside = _set_aside(folder)
        try:
            return _fresh(begin)._replace(set_aside=set_aside, reason=reason)
        except OSError as failed:
            raise SetAsideError(set_aside, reason, failed) from failed


def _fresh(begin: _Begin) -> Opening:
    """A log of its own: the genesis key signs its first head, and is not kept."""
    origin = ORIGIN + secrets.token_hex(8)
    genesis = key_ratchet.new_seed()
    key = key_ratchet.recovery_key(genesis)
    # The head key of the first file is the genesis key itself: one public key to start from.
    end = End(
        origin=origin,
        frontier=Frontier(),
        prev=b"",
        batch=0,
        seed=genesis,
        head_seed=key.private_bytes_raw(),
        file=0,
    )
    public = signed_note.format_key(origin, public_of(key))
    begin.folder.replace(GENESIS, public.encode() + b"\n", mode=0o400)
    chain_writer = begin.chain_writer(end)
    chain_writer.begin_file()
    return Opening(chain_writer, True, 0, 0, "", "")


def _go_on(
    begin: _Begin, state: KeyState, files: list[AuditFile], anchor: Anchor | None
) -> Opening:
    anchored = anchor.size if anchor else 0
    if state.pending and _is_missing(begin.folder, state, files):
        chain_writer = _write_pending(begin, state, files)
        if chain_writer.size < anchored:
            raise TamperedError("the log was cut back")
        # The next records are this process's own, and begin with a head that says so.
        chain_writer.begin_file()
        return Opening(chain_writer, False, 0, 0, "", "")
    if not files:
        raise TamperedError("all of it is gone")
    found = _survey(files[-1], state.origin, anchored)
    following = found.last.batch + 1
    if state.batch > following:
        raise TamperedError("the log was cut back behind its keys")
    seed = key_ratchet.next_seed(bytearray(state.seed), following - state.batch)
    if public_of(key_ratchet.signing_key(seed)) != found.last.next:
        raise TamperedError("its keys are not the ones that it names")
    frontier, torn_bytes, unsigned = _adopt_tail(found, seed)
    if frontier.size < max(state.size, anchored):
        raise TamperedError("the log was cut back")
    if anchor is not None and found.roots.get(anchored, anchor.root) != anchor.root:
        raise TamperedError("the log was rewritten before its anchor")
    end = End(state.origin, frontier, b"", following, seed, state.head_seed, files[-1].number)
    chain_writer = begin.chain_writer(end)
    torn = Torn(len(torn_bytes), hashlib.sha256(torn_bytes).digest()) if torn_bytes else None
    chain_writer.begin_file(torn)
    return Opening(chain_writer, False, unsigned, len(torn_bytes), "", "")


def _write_pending(begin: _Begin, state: KeyState, files: list[AuditFile]) -> ChainWriter:
    """Writes the head that was ready, if the log is still the one that it was made for."""
    line = read_head(state.pending.encode())
    found = checkpoint.read(line.note)
    number = found.head.number if found.head else 0
    if number > 1:
        before = _survey(_file_before(files, number), state.origin)
        if before.frontier.size + len(before.tail) < found.size:
            raise TamperedError("the log was cut back")
    end = End(
        origin=state.origin,
        frontier=line.frontier(found.size),
        prev=b"",
        batch=state.batch,
        seed=bytearray(state.seed),
        head_seed=state.head_seed,
        file=number - 1,
    )
    chain_writer = begin.chain_writer(end)
    chain_writer.go_on(state.pending.encode(), line.note)
    return chain_writer


def _key_beside(folder: AuditFolder) -> str:
    try:
        return (folder.path / GENESIS).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _is_missing(folder: AuditFolder, state: KeyState, files: list[AuditFile]) -> bool:
    """Whether the head that was ready is not, or not whole, in its file."""
    line = state.pending.encode() + b"\n"
    head = checkpoint.read(read_head(line[:-1]).note).head
    number = head.number if head else 0
    newest = files[-1].number if files else 0
    if newest < number:
        return newest == number - 1
    if newest > number or files[-1].compressed:
        return False
    with folder.path_of(number).open("rb") as stream:
        there = stream.read(len(line))
    return len(there) < len(line) and line.startswith(there)


def _file_before(files: list[AuditFile], number: int) -> AuditFile:
    before = [file for file in files if file.number < number]
    if not before:
        raise TamperedError("the log was cut back")
    return before[-1]


def _survey(file: AuditFile, origin: str, anchored_size: int = 0) -> _Survey:
    reader = LineReader(file)
    frontier: Frontier | None = None
    last: Checkpoint | None = None
    tail: list[bytes] = []
    roots: dict[int, bytes] = {}
    for block in reader:
        for line in block.lines:
            if frontier is None:
                head = read_head(line)
                last = checkpoint.read(head.note)
                frontier = head.frontier(last.size)
            elif line.startswith(CHECKPOINT):
                for covered in tail:
                    frontier.append(leaf_hash(covered))
                tail = []
                last = checkpoint.read(read_checkpoint(line))
                if (last.size, last.root) != (frontier.size, frontier.root()):
                    raise TamperedError("records do not fit the checkpoint behind them")
            else:
                tail.append(line)
                continue
            if frontier.size == anchored_size:
                roots[anchored_size] = frontier.root()
    if frontier is None or last is None or last.origin != origin:
        raise TamperedError("the newest file is not this log's")
    return _Survey(frontier, last, tail, reader.rest, roots)


def _adopt_tail(found: _Survey, seed: bytearray) -> tuple[Frontier, bytes, int]:
    """The frontier with the unsigned records whose MACs fit, the bytes behind, and how many."""
    frontier = found.frontier.copy()
    key = key_ratchet.first_mac_key(seed)
    for at, line in enumerate(found.tail):
        try:
            unsigned, mac = record.split_mac(line)
            fits = mac == key_ratchet.mac(key, unsigned)
        except ValueError:
            fits = False
        if not fits:
            refused = b"".join(line + b"\n" for line in found.tail[at:])
            return frontier, refused + found.rest, at
        frontier.append(leaf_hash(line))
        key = key_ratchet.next_mac_key(key)
    return frontier, found.rest, len(found.tail)


def _set_aside(folder: AuditFolder) -> str:
    """Moves what is there out of the way, untouched, and returns the name of its new folder."""
    name = f"set-aside-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    place = folder.path / name
    place.mkdir(mode=0o700)
    for file in folder.files():
        folder.move(file.path, place)
    for other in (GENESIS, PRUNED, KEYS, ANCHOR):
        if (folder.path / other).exists():
            folder.move(folder.path / other, place)
    index = folder.path / INDEX
    if is_newer_index(index):
        folder.move(index, place)
    else:
        index.unlink(missing_ok=True)
    folder.sync_names()
    return name
