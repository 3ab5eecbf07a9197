"""Topic names and patterns.

A topic is 1 to 256 bytes of UTF-8: at most 32 non-empty levels, split by dots. In a pattern, `*`
stands for exactly one level and `#` for zero or more levels, anywhere. Patterns are not regular
expressions.
"""

from collections.abc import Iterator

from deskbus_protocol.errors import INVALID_TOPIC, DeskbusError

MAX_TOPIC_BYTES = 256
MAX_LEVELS = 32
MAX_WILDCARDS = 8
"""In one pattern; so that no mix of patterns makes a topic expensive to route."""

ONE = "*"
MANY = "#"


def check_topic(topic: str) -> None:
    """Raises `DeskbusError` (invalid_topic) unless `topic` is the name of one topic."""
    _check_levels(topic)
    if ONE in topic or MANY in topic:
        raise DeskbusError(INVALID_TOPIC, "A topic to publish on can't contain wildcards.")


def check_pattern(pattern: str) -> None:
    """Raises `DeskbusError` (invalid_topic) unless `pattern` is a topic or a wildcard pattern."""
    levels = _check_levels(pattern)
    if not is_wildcard(pattern):
        return
    for level in levels:
        if len(level) > 1 and (ONE in level or MANY in level):
            raise DeskbusError(INVALID_TOPIC, "A wildcard must stand alone in its level.")
    if "#.#" in pattern:
        raise DeskbusError(INVALID_TOPIC, "Write # once: two in a row mean the same.")
    if levels.count(ONE) + levels.count(MANY) > MAX_WILDCARDS:
        raise DeskbusError(INVALID_TOPIC, f"A pattern has at most {MAX_WILDCARDS} wildcards.")


def is_wildcard(pattern: str) -> bool:
    return ONE in pattern or MANY in pattern


def literal_start(pattern: str) -> str:
    """The text with which every topic that fits `pattern` begins."""
    levels = []
    for level in pattern.split("."):
        if level in (ONE, MANY):
            break
        levels.append(level)
    return ".".join(levels)


def matches(pattern: str, topic: str) -> bool:
    """Whether `topic` fits `pattern`; both are taken to be valid.

    Walks the topic once with the set of pattern positions that are still possible, so no
    pattern costs more than its length times the topic's.
    """
    if not is_wildcard(pattern):
        return pattern == topic
    if pattern.endswith(".#") and not is_wildcard(start := pattern[:-2]):
        # Most patterns are such, and logs and topics are looked through by them.
        return topic.startswith(start) and topic[len(start) : len(start) + 1] in ("", ".")
    levels = pattern.split(".")
    end = len(levels)
    positions = _skip_many(levels, {0})
    for name in topic.split("."):
        after = set()
        for at in positions:
            if at == end:
                continue
            if levels[at] == MANY:
                after.add(at)
            elif levels[at] in (ONE, name):
                after.add(at + 1)
        positions = _skip_many(levels, after)
        if not positions:
            return False
    return end in positions


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic that fits `narrow` fits `wide` too.

    Never says yes wrongly; some exotic pairs that would fit are answered no, which a permission
    check takes as "ask".
    """
    outer, inner = _canonical(wide), _canonical(narrow)
    reachable = {0}
    for want in inner:
        after = set()
        for at in _skip_many(outer, reachable):
            if at == len(outer):
                continue
            have = outer[at]
            if have == MANY:
                after.add(at)
            elif want != MANY and have in (ONE, want):
                after.add(at + 1)
        reachable = after
        if not reachable:
            return False
    return len(outer) in _skip_many(outer, reachable)


def overlaps(one: str, other: str) -> bool:
    """Whether some topic fits both patterns."""
    first, second = one.split("."), other.split(".")
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        at, other_at = waiting.pop()
        if at == len(first) and other_at == len(second):
            return True
        for step in _steps(first, at, second, other_at):
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return False


def _steps(
    first: list[str], at: int, second: list[str], other_at: int
) -> Iterator[tuple[int, int]]:
    """Where two patterns can be after the next level of a topic that fits both."""
    have = first[at] if at < len(first) else None
    other = second[other_at] if other_at < len(second) else None
    if have == MANY:
        yield at + 1, other_at
    if other == MANY:
        yield at, other_at + 1
    if have is None or other is None:
        return
    if have == MANY:
        yield at, other_at + 1
    elif other == MANY:
        yield at + 1, other_at
    elif have == other or ONE in (have, other):
        yield at + 1, other_at + 1


def _canonical(pattern: str) -> list[str]:
    """Levels with each run of wildcards in one order: all `*`, then at most one `#`."""
    levels: list[str] = []
    many = False
    for level in pattern.split("."):
        if level == MANY:
            many = True
            continue
        if many and level != ONE:
            levels.append(MANY)
            many = False
        levels.append(level)
    if many:
        levels.append(MANY)
    return levels


def _skip_many(levels: list[str], positions: set[int]) -> set[int]:
    """`positions` and all that is reached from them by letting a `#` stand for nothing."""
    reached = set(positions)
    for start in positions:
        at = start
        while at < len(levels) and levels[at] == MANY:
            at += 1
            reached.add(at)
    return reached


def _check_levels(name: str) -> list[str]:
    size = len(name) if name.isascii() else len(name.encode("utf-8", "surrogatepass"))
    if not 1 <= size <= MAX_TOPIC_BYTES:
        raise DeskbusError(INVALID_TOPIC, "A topic has 1 to 256 bytes.")
    if not name.isprintable():
        raise DeskbusError(INVALID_TOPIC, "A topic can't contain control characters.")
    levels = name.split(".")
    if "" in levels:
        raise DeskbusError(INVALID_TOPIC, "A topic can't have an empty level.")
    if len(levels) > MAX_LEVELS:
        raise DeskbusError(INVALID_TOPIC, f"A topic has at most {MAX_LEVELS} levels.")
    return levels
