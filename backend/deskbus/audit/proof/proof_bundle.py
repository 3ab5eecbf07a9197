"""Proofs of single records: the log's tree, and the way from the genesis key to a checkpoint."""

import binascii
from collections.abc import Sequence
from pathlib import Path

import msgspec

from deskbus.audit.format import checkpoint, signed_note
from deskbus.audit.format.checkpoint import Checkpoint
from deskbus.audit.format.lines import CHECKPOINT, HEAD, LineError, read_checkpoint, read_head
from deskbus.audit.format.merkle import (
    ProofError,
    Subtree,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    split_of,
)
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.indexer import TILE
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.store.audit_folder import LineReader, list_files, read_removed_heads

VERSION = 1


class Bundle(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Proves records without the log.

    `heads` lead from the genesis `key` to the last file, each signed by the key that the one before
    it named; `notes` lead on to the checkpoint, which is the last of them, or the last head. For
    each record `paths` has its RFC 6962 inclusion path, as places in `hashes` (base64).
    """

    version: int = VERSION
    key: str
    heads: list[str]
    notes: list[str]
    hashes: list[str]
    paths: dict[str, list[int]]


class Chain(msgspec.Struct, frozen=True):
    """The notes from the genesis key to the newest checkpoint of `size` records."""

    heads: list[str]
    notes: list[str]
    newest: Checkpoint
    first: int
    first_nodes: list[bytes]


def read_chain(folder: Path) -> Chain:
    """Reads the heads of all files, and the checkpoints of the last one; raises `OSError`,
    `LineError`, `NoteError`, `DamagedFileError`. Nothing is verified.
    """
    removed = read_removed_heads(folder)
    files = list_files(folder)
    before = removed[: files[0].number - 1] if files else []
    heads = [read_head(line).note for line in before]
    first = None
    notes: list[str] = []
    for file in files:
        begun = False
        for block in LineReader(file, 0, 1 << 16):
            for line in block.lines:
                if line.startswith(HEAD):
                    head = read_head(line)
                    heads.append(head.note)
                    first = first or head
                    begun = True
                elif line.startswith(CHECKPOINT):
                    notes.append(read_checkpoint(line))
            if begun and file is not files[-1]:
                notes.clear()
                break
    if first is None:
        raise LineError("there is no log")
    begins = checkpoint.read(first.note).size
    return Chain(heads, notes, checkpoint.read([*heads, *notes][-1]), begins, first.nodes)


class Prover:
    """Works out subtrees of the log from the index's tiles, and from its lines."""

    def __init__(self, search: AuditSearch, index: AuditIndex, chain: Chain) -> None:
        search.refresh()
        self._search = search
        self._tiles = index.tiles()
        self._first = chain.first
        self._known: dict[tuple[int, int], bytes] = {}
        start = 0
        for node in chain.first_nodes:
            count = 1 << (chain.first - start).bit_length() - 1
            self._known[start, count] = node
            start += count

    def subtree(self, start: int, count: int) -> bytes:
        """Raises `ProofError` for what can't be known any more, or can't be read."""
        known = self._known.get((start, count))
        if known is not None:
            return known
        if count == TILE and start % TILE == 0 and start // TILE in self._tiles:
            found = self._tiles[start // TILE]
        elif count == 1:
            line = self._search.line(start) if start >= self._first else None
            if line is None:
                raise ProofError("a record that the proof needs can't be read")
            found = leaf_hash(line)
        else:
            split = split_of(count)
            left = self.subtree(start, split)
            found = node_hash(left, self.subtree(start + split, count - split))
        self._known[start, count] = found
        return found


def make_bundle(key: str, chain: Chain, seqs: Sequence[int], subtree: Subtree) -> Bundle:
    """Raises `ProofError`."""
    hashes: list[str] = []
    places: dict[bytes, int] = {}
    paths: dict[str, list[int]] = {}
    for seq in seqs:
        path = inclusion_path(seq, chain.newest.size, subtree)
        for node in path:
            if node not in places:
                places[node] = len(hashes)
                hashes.append(_base64(node))
        paths[str(seq)] = [places[node] for node in path]
    return Bundle(key=key, heads=chain.heads, notes=chain.notes, hashes=hashes, paths=paths)


def check_bundle(bundle: Bundle, lines: Sequence[bytes], key: str) -> Checkpoint:
    """The checkpoint under which every one of `lines` was proven to be in the log of `key`.

    Raises `ProofError`, `NoteError`.
    """
    newest = check_chain(bundle.heads, bundle.notes, key)
    try:
        hashes = [binascii.a2b_base64(text, strict_mode=True) for text in bundle.hashes]
        seqs = [_seq_of(line) for line in lines]
        if len(seqs) != len(bundle.paths) or len(set(seqs)) != len(seqs):
            raise ProofError("there are more or fewer records than proofs")
        for seq, line in zip(seqs, lines, strict=True):
            path = [hashes[at] for at in bundle.paths[str(seq)]]
            check_inclusion(seq, newest.size, leaf_hash(line), path, newest.root)
    except (KeyError, IndexError, binascii.Error):
        raise ProofError("a record has no proof, or a damaged one") from None
    return newest


def check_chain(heads: Sequence[str], notes: Sequence[str], key: str) -> Checkpoint:
    """The last checkpoint, once each was signed by the key named before it.

    Raises `NoteError`.
    """
    origin, signer = signed_note.parse_key(key)
    found: Checkpoint | None = None
    for text in heads:
        found = checkpoint.read(text, signer)
        if found.head is None or found.origin != origin:
            raise NoteError("a head of a file is not one")
        signer = found.head.head
    if found is None:
        raise NoteError("there is no checkpoint")
    for text in notes:
        found = checkpoint.read(text, found.next)
    return found


class _Seq(msgspec.Struct, frozen=True):
    seq: int


def _seq_of(line: bytes) -> int:
    try:
        return msgspec.json.decode(line, type=_Seq).seq
    except msgspec.MsgspecError:
        raise ProofError("this is not a record") from None


class Consistency(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Proves that the log goes on from the one that had `size` records under `root` (base64).

    `path` is RFC 6962's; `heads` and `notes` are as in `Bundle`.
    """

    version: int = VERSION
    key: str
    size: int
    root: str
    heads: list[str]
    notes: list[str]
    path: list[str]


def make_consistency(
    key: str, chain: Chain, size: int, root: bytes, subtree: Subtree
) -> Consistency:
    """Raises `ProofError`, also where the log does not go on from there."""
    path = consistency_path(size, chain.newest.size, subtree)
    check_consistency(size, chain.newest.size, root, chain.newest.root, path)
    return Consistency(
        key=key,
        size=size,
        root=_base64(root),
        heads=chain.heads,
        notes=chain.notes,
        path=[_base64(node) for node in path],
    )


def check_consistent(proof: Consistency, key: str) -> Checkpoint:
    """The newest checkpoint; raises `ProofError`, `NoteError`."""
    newest = check_chain(proof.heads, proof.notes, key)
    try:
        root = binascii.a2b_base64(proof.root, strict_mode=True)
        path = [binascii.a2b_base64(node, strict_mode=True) for node in proof.path]
    except binascii.Error:
        raise ProofError("the proof is damaged") from None
    check_consistency(proof.size, newest.size, root, newest.root, path)
    return newest


def _base64(content: bytes) -> str:
    return binascii.b2a_base64(content, newline=False).decode()
