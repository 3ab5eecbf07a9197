"""Wildcard patterns in a trie, so that a topic finds its patterns in one walk of bounded cost."""

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from deskbus_protocol.topics import MANY, MAX_LEVELS, ONE

T = TypeVar("T", bound=Hashable)

MAX_VISITS = 2_000
"""The most node visits that one owner's patterns may cost a topic: less than a millisecond."""


class _Node(Generic[T]):
    """`values` end here, `rest` go on with a last `#`; `users` are who has a pattern through here.

    A `#` that is not the last level has a node of its own; it may stand for any number of levels.
    """

    __slots__ = ("children", "is_many", "rest", "users", "values", "visits")

    def __init__(self, *, is_many: bool = False, visits: int = 1) -> None:
        self.is_many = is_many
        self.visits = visits
        self.children: dict[str, _Node[T]] = {}
        self.values: set[T] = set()
        self.rest: set[T] = set()
        self.users: Counter[str] = Counter()


class PatternTrie(Generic[T]):
    """Values by pattern; `match` gives those whose pattern fits a topic.

    A walk keeps the set of nodes that are still possible, each at most once a level, and a `#` at
    the end of a pattern is done with as soon as it is reached. So a node above every `#` is visited
    once, one below as often as the topic has levels left: `work` is the sum of these for the nodes
    that an owner's patterns have, and no topic costs more visits than that for this owner.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._work: Counter[str] = Counter()
        self.visited = 0

    def work(self, owner: str) -> int:
        """The largest number of node visits that a topic may cost for this owner's patterns."""
        return self._work[owner]

    def added_work(self, pattern: str, owner: str) -> int:
        """The amount by which `work` would grow with this pattern."""
        node: _Node[T] | None = self._root
        added = 0
        for level, visits in _steps(pattern):
            node = None if node is None else node.children.get(level)
            if node is None or owner not in node.users:
                added += visits
        return added

    def add(self, pattern: str, value: T, owner: str = "") -> None:
        path = [self._root]
        for level, visits in _steps(pattern):
            child = path[-1].children.get(level)
            if child is None:
                child = path[-1].children[level] = _Node(is_many=level == MANY, visits=visits)
            path.append(child)
        place = _place(path[-1], pattern)
        if value in place:
            return
        place.add(value)
        for node in path[1:]:
            if owner not in node.users:
                self._work[owner] += node.visits
            node.users[owner] += 1

    def remove(self, pattern: str, value: T, owner: str = "") -> None:
        """Takes away what was added so, and the branch with it where nothing else hangs on it."""
        path = [self._root]
        levels = [level for level, _ in _steps(pattern)]
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        place = _place(path[-1], pattern)
        if value not in place:
            return
        place.discard(value)
        for level, parent in zip(reversed(levels), reversed(path[:-1]), strict=True):
            node = parent.children[level]
            node.users[owner] -= 1
            if node.users[owner] <= 0:
                del node.users[owner]
                self._work[owner] -= node.visits
            if not node.users:
                del parent.children[level]
        if not self._work[owner]:
            del self._work[owner]

    def match(self, topic: str) -> set[T]:
        found: set[T] = set(self._root.rest)
        possible = self._reach({self._root}, found)
        for level in topic.split("."):
            after: set[_Node[T]] = set()
            for node in possible:
                children = node.children
                child = children.get(level)
                if child is not None:
                    after.add(child)
                child = children.get(ONE)
                if child is not None:
                    after.add(child)
                if node.is_many:
                    after.add(node)
            if not after:
                return found
            self.visited += len(after)
            possible = self._reach(after, found)
        return found.union(*[node.values for node in possible if node.values])

    @staticmethod
    def _reach(nodes: set[_Node[T]], found: set[T]) -> set[_Node[T]]:
        """The nodes, and the `#` below each, which may stand for no level at all."""
        below = set()
        for node in nodes:
            if node.rest:
                found |= node.rest
            many = node.children.get(MANY)
            if many is not None:
                below.add(many)
        return nodes | below if below else nodes


def _steps(pattern: str) -> Iterator[tuple[str, int]]:
    """Each level that has a node, and how often a topic may come by it."""
    levels = pattern.split(".")
    if levels[-1] == MANY:
        del levels[-1]
    above, below_many = 0, False
    for level in levels:
        below_many = below_many or level == MANY
        yield level, MAX_LEVELS - above if below_many else 1
        above += level != MANY


def _place(node: _Node[T], pattern: str) -> set[T]:
    is_rest = pattern == MANY or pattern.endswith(f".{MANY}")
    return node.rest if is_rest else node.values
