"""Topics and patterns as NATS knows them.

A subject is `<prefix>.<kind>.<origin>.<topic>`: kind tells persisted topics (`p`, kept by
JetStream) from the others (`c`, core NATS), origin is the machine that a message comes from, so a
NATS server can be told which machine may publish as which. Characters of a topic that have a
meaning to NATS, or may have one, are percent-encoded (RFC 3986), so every topic has one subject
and the reverse.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

from deskbus_protocol.topics import MANY, ONE

Kind = Literal["c", "p"]
LIVE: Kind = "c"
PERSISTED: Kind = "p"

ANY = "*"
"""In NATS: exactly one token."""

REST = ">"
"""In NATS: one or more tokens, at the end only."""

CACHED_TOPICS = 10_000


class Address(NamedTuple):
    """The parts of a subject, without its prefix."""

    kind: str
    origin: str
    topic: str


@lru_cache(CACHED_TOPICS)
def encode_topic(topic: str) -> str:
    # "." is among the characters that are never encoded, so the levels stay what they are.
    return quote(topic, safe="")


def subject_of(prefix: str, kind: Kind, origin: str, topic: str) -> str:
    return f"{prefix}.{kind}.{origin}.{encode_topic(topic)}"


@lru_cache(CACHED_TOPICS)
def address_of(prefix: str, subject: str) -> Address:
    """Takes a subject apart; raises `ValueError` for one that `subject_of` does not make."""
    tokens = subject.removeprefix(prefix + ".").split(".", 2)
    if len(tokens) != 3 or not subject.startswith(prefix + "."):
        raise ValueError("not a subject of this federation")
    topic = unquote(tokens[2], errors="strict")
    if encode_topic(topic) != tokens[2]:
        raise ValueError("encoded in another way than ours")
    return Address(tokens[0], tokens[1], topic)


def filters_of(prefix: str, kind: Kind, pattern: str) -> list[str]:
    """NATS subscriptions that bring every message of `pattern`, from any machine.

    No two of them bring the same. Topics that a `#` before the end lets through beside those of the
    pattern are to be filtered out by `matches`.
    """
    levels = pattern.split(".")
    many = levels.index(MANY) if MANY in levels else len(levels)
    fixed = [ANY if level == ONE else encode_topic(level) for level in levels[:many]]
    exact = ".".join([prefix, kind, ANY, *fixed])
    if many == len(levels):
        return [exact]
    below = f"{exact}.{REST}"
    may_end_here = bool(fixed) and all(level == MANY for level in levels[many:])
    return [exact, below] if may_end_here else [below]


def widest(filters: Sequence[str]) -> str:
    """One filter that matches all that `filters` match, and perhaps more."""
    if len(filters) == 1:
        return filters[0]
    tokens = [each.split(".") for each in filters]
    shared: list[str] = []
    # The last token of each is left to `>`, which stands for at least one.
    for column in zip(*(each[:-1] for each in tokens), strict=False):
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return ".".join([*shared, REST])


def brings(nats_filter: str, subject: str) -> bool:
    """Whether NATS gives a message on `subject` to a subscriber of `nats_filter`."""
    wanted, have = nats_filter.split("."), subject.split(".")
    if wanted[-1] == REST:
        wanted.pop()
        if len(have) <= len(wanted):
            return False
        have = have[: len(wanted)]
    return len(wanted) == len(have) and all(
        want in (ANY, token) for want, token in zip(wanted, have, strict=True)
    )
