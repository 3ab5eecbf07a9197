"""Merkle trees of RFC 6962, section 2.1: roots, inclusion proofs and consistency proofs.

Pure. A tree is told by its size and by the hashes of the complete subtrees that make it up, so its
root grows with the log and nothing of the log is read again.
"""

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""The root over the leaves from `start`, `count` of them; `count` is a power of two or ends the
tree."""


class ProofError(ValueError):
    """A proof that does not fit its tree."""


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """The complete subtrees of a tree, largest first: all that its next root needs."""

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        """Raises `ProofError` where `nodes` don't fit `size`."""
        if size < 0 or len(nodes) != size.bit_count():
            raise ProofError("the number of subtrees does not fit the size")
        if any(len(node) != HASH_BYTES for node in nodes):
            raise ProofError("a hash has 32 bytes")
        self.size = size
        self._nodes = list(nodes)

    @property
    def nodes(self) -> list[bytes]:
        return list(self._nodes)

    def copy(self) -> "Frontier":
        return Frontier(self.size, self._nodes)

    def append(self, leaf: bytes) -> None:
        """Adds the hash of one leaf."""
        nodes = self._nodes
        size = self.size
        while size & 1:
            leaf = hashlib.sha256(b"\1" + nodes.pop() + leaf).digest()
            size >>= 1
        nodes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self._nodes:
            return EMPTY_ROOT
        root = self._nodes[-1]
        for node in reversed(self._nodes[:-1]):
            root = node_hash(node, root)
        return root


def split_of(count: int) -> int:
    """The largest power of two below `count`: where RFC 6962 divides a tree of `count` leaves."""
    return 1 << (count - 1).bit_length() - 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over the hashes of leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962, section 2.1.1, nearest to the leaf first; raises `ProofError`."""
    if not 0 <= index < size:
        raise ProofError("there is no such leaf in a tree of that size")
    path: list[bytes] = []
    start, count = 0, size
    while count > 1:
        split = split_of(count)
        if index < start + split:
            path.append(subtree(start + split, count - split))
            count = split
        else:
            path.append(subtree(start, split))
            start, count = start + split, count - split
    return path[::-1]


def consistency_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962, section 2.1.2; raises `ProofError`."""
    if not 0 < old <= new:
        raise ProofError("the older tree must have a leaf, and no more than the newer")
    path: list[bytes] = []
    start, count, known, whole = 0, new, old, True
    while known < count:
        split = split_of(count)
        if known <= split:
            path.append(subtree(start + split, count - split))
            count = split
        else:
            path.append(subtree(start, split))
            start, count, known, whole = start + split, count - split, known - split, False
    if not whole:
        path.append(subtree(start, known))
    return path[::-1]


def check_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Raises `ProofError` unless `path` leads from the leaf's hash to `root`.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ProofError("there is no such leaf in a tree of that size")
    at, last, found = index, size - 1, leaf
    for node in path:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            found = node_hash(node, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    if last or found != root:
        raise ProofError("the proof does not lead to the root")


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Raises `ProofError` unless the newer tree goes on from the older.

    RFC 9162, section 2.1.4.2.
    """
    if not 0 < old <= new:
        raise ProofError("the older tree must have a leaf, and no more than the newer")
    if old == new:
        if path or old_root != new_root:
            raise ProofError("two trees of one size have one root")
        return
    nodes = list(path)
    if old & (old - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        raise ProofError("the proof is too short")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = new_found = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            old_found, new_found = node_hash(node, old_found), node_hash(node, new_found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new_found = node_hash(new_found, node)
        at, last = at >> 1, last >> 1
    if last or old_found != old_root or new_found != new_root:
        raise ProofError("the newer tree does not go on from the older")
