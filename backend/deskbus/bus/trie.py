"""Wildcard patterns in a trie, so that a topic finds its patterns in one walk."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from deskbus_protocol.topics import MANY, ONE

T = TypeVar("T", bound=Hashable)


class _Node(Generic[T]):
    __slots__ = ("children", "is_many", "values")

    def __init__(self, *, is_many: bool = False) -> None:
        self.is_many = is_many
        self.children: dict[str, _Node[T]] = {}
        self.values: set[T] = set()


class PatternTrie(Generic[T]):
    """Values by pattern; `match` gives those whose pattern fits a topic.

    A walk keeps the set of nodes that are still possible, each at most once, so no pattern and
    no mix of patterns makes it go back.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, pattern: str, value: T) -> None:
        node = self._root
        for level in pattern.split("."):
            child = node.children.get(level)
            if child is None:
                child = node.children[level] = _Node(is_many=level == MANY)
            node = child
        node.values.add(value)

    def remove(self, pattern: str, value: T) -> None:
        """Takes the value away, and the branch with it where nothing else hangs on it."""
        path = [self._root]
        levels = pattern.split(".")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        path[-1].values.discard(value)
        for level, parent in zip(reversed(levels), reversed(path[:-1]), strict=True):
            child = parent.children[level]
            if child.values or child.children:
                return
            del parent.children[level]

    def match(self, topic: str) -> set[T]:
        possible = _reach({self._root})
        for level in topic.split("."):
            after = {node for node in possible if node.is_many}
            for node in possible:
                for name in (level, ONE):
                    child = node.children.get(name)
                    if child is not None:
                        after.add(child)
            possible = _reach(after)
        found: set[T] = set()
        return found.union(*(node.values for node in possible))


def _reach(nodes: set[_Node[T]]) -> set[_Node[T]]:
    """The nodes, and the `#` below each, which may stand for no level at all."""
    below = {node.children[MANY] for node in nodes if MANY in node.children}
    return nodes | below
