"""A query picks the same lines out of bytes as one that parses every message."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.log.batch import encode, unpack_body
from deskbus.persistence.log.selection import Selection
from tests.unit.persistence.rig import HOSTILE_PAYLOAD, Message, batch_of, lines, message

TOPICS = ["a", "b", 'quote"\\', "größe", 'x","sender":', *(f"many.{n}" for n in range(12))]
POSITION = 1000

MESSAGES = st.lists(
    st.builds(
        message,
        topic=st.sampled_from(TOPICS),
        seq=st.integers(1, 6),
        timestamp_ms=st.integers(1, 6),
        payload=st.sampled_from([b"1", HOSTILE_PAYLOAD]),
    ),
    min_size=1,
    max_size=20,
)
BOUND = st.one_of(st.none(), st.integers(0, 7))


@st.composite
def queries(draw: st.DrawFn) -> LogQuery:
    wanted = draw(st.one_of(st.none(), st.sets(st.sampled_from(TOPICS))))
    return LogQuery(
        from_ms=draw(BOUND),
        to_ms=draw(BOUND),
        from_position=draw(st.integers(POSITION - 2, POSITION + 22)),
        to_position=draw(st.one_of(st.none(), st.integers(POSITION - 2, POSITION + 22))),
        from_seq=draw(st.integers(0, 7)),
        wants=None if wanted is None else wanted.__contains__,
        limit=draw(st.one_of(st.none(), st.integers(1, 5))),
    )


def expected(found: list[Message], query: LogQuery) -> tuple[bytes, int | None]:
    """The wanted lines by parsing, and the position after the last where the limit ends it."""
    taken = []
    for position, each in enumerate(found, POSITION):
        params: dict[str, Any] = json.loads(each.line)["params"]
        if (
            position >= query.from_position
            and (query.to_position is None or position < query.to_position)
            and (query.from_ms is None or params["timestamp"] >= query.from_ms)
            and (query.to_ms is None or params["timestamp"] < query.to_ms)
            and params["seq"] >= query.from_seq
            and (query.wants is None or query.wants(params["topic"]))
        ):
            taken.append(each.line)
            if query.limit is not None and len(taken) >= query.limit:
                return b"".join(taken), position + 1
    return b"".join(taken), None


@given(MESSAGES, queries())
def test_lines_are_picked_out_of_a_batch_without_parsing(
    found: list[Message], query: LogQuery
) -> None:
    found.sort(key=lambda each: each.seq)
    encoded = encode(batch_of(found, POSITION))
    selection = Selection(query, POSITION + len(found))
    head = encoded.head
    picked = b""
    if selection.may_hold_batch(head):
        body = memoryview(lines(found))
        table = encoded.table if selection.needs_table else None
        picked = bytes(selection.pick_lines(head, table, lambda: unpack_body(head, body)))
    wanted, position = expected(found, query)
    assert picked == wanted
    assert selection.done == (position is not None)
    if position is not None:
        assert selection.position == position


@given(MESSAGES, queries())
def test_lines_are_picked_out_of_memory_in_the_same_way(
    found: list[Message], query: LogQuery
) -> None:
    selection = Selection(query, POSITION + len(found))
    picked = selection.pick_messages(batch_of(found, POSITION))
    wanted, position = expected(found, query)
    assert picked == wanted
    if position is not None:
        assert selection.position == position


def test_a_batch_that_is_wanted_whole_is_given_out_untouched() -> None:
    found = [message(topic, 1) for topic in ("a", "b")]
    encoded = encode(batch_of(found))
    body = lines(found)
    selection = Selection(LogQuery(wants=lambda topic: True, from_ms=5), 2)
    assert selection.pick_lines(encoded.head, encoded.table, lambda: body) is body


def test_a_batch_without_a_wanted_topic_is_not_even_unpacked() -> None:
    encoded = encode(batch_of([message("a", 1)]))
    selection = Selection(LogQuery(wants=lambda topic: False), 1)
    body = selection.pick_lines(encoded.head, encoded.table, lambda: pytest.fail("was unpacked"))
    assert body == b""


def test_a_topic_is_asked_about_once() -> None:
    asked: list[str] = []

    def wants(topic: str) -> bool:
        asked.append(topic)
        return True

    selection = Selection(LogQuery(wants=wants), 1)
    assert all(selection.wants("a") for _ in range(3))
    assert asked == ["a"]
