"""Recent traces: what is kept, what gives way, what is found."""

import pytest

from deskbus.observability.tracing import trace_ring
from deskbus.observability.tracing.conventions import APP, MESSAGING_DESTINATION_NAME
from deskbus.observability.tracing.span import Span
from deskbus.observability.tracing.trace_ring import TraceFilter, TraceRing


def span(
    trace: int, number: int = 1, *, parent: int = 0, took: int = 10, app: str = "", error: str = "",
    topic: str = "",
) -> Span:  # fmt: skip
    attributes = {
        name: value for name, value in ((APP, app), (MESSAGING_DESTINATION_NAME, topic)) if value
    }
    start = trace * 1000 + number
    return Span(
        f"{trace:032x}", f"{number:016x}", f"{parent:016x}" if parent else "", f"span {number}",
        "internal", start, start + took, attributes, error,
    )  # fmt: skip


def ids(ring: TraceRing, **wanted: object) -> list[int]:
    return [int(t.trace_id, 16) for t in ring.find(TraceFilter(**wanted), 100)]  # type: ignore[arg-type]


def test_spans_of_a_trace_are_told_in_the_order_of_their_starts() -> None:
    ring = TraceRing()
    for number in (3, 1, 2):
        ring.add(span(1, number, parent=number - 1))
    found = ring.get(f"{1:032x}")
    assert found is not None
    assert [each.name for each in found.spans] == ["span 1", "span 2", "span 3"]
    assert found.root.name == "span 1"
    assert found.duration_ns == 12


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [3, 2, 1]),
        ({"trace_id": f"{2:032x}"}, [2]),
        ({"trace_id": f"{9:032x}"}, []),
        ({"app": "desk.feed"}, [1]),
        ({"topic": "orders.new"}, [3]),
        ({"error": True}, [2]),
        ({"error": False}, [3, 1]),
        ({"min_duration_ns": 50}, [3]),
        ({"since_ns": 2001}, [3, 2]),
        ({"until_ns": 2001}, [1]),
    ],
)
def test_traces_are_found_by_what_is_known_of_them(
    wanted: dict[str, object], found: list[int]
) -> None:
    ring = TraceRing()
    ring.add(span(1, app="desk.feed"))
    ring.add(span(2, error="timeout"))
    ring.add(span(3, took=60, topic="orders.new"))
    assert ids(ring, **wanted) == found


def test_the_trace_without_news_for_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_ring, "MAX_TRACES", 2)
    ring = TraceRing()
    ring.add(span(1))
    ring.add(span(2))
    ring.add(span(1, 2))
    ring.add(span(3))
    assert ids(ring) == [3, 1]


def test_one_trace_takes_no_more_than_its_room() -> None:
    ring = TraceRing()
    for number in range(1, trace_ring.MAX_SPANS_OF_TRACE + 11):
        ring.add(span(1, number))
    found = ring.get(f"{1:032x}")
    assert found is not None
    assert len(found.spans) == trace_ring.MAX_SPANS_OF_TRACE
    assert found.left_out == 10


def test_all_traces_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_ring, "MAX_SPANS", 20)
    ring = TraceRing()
    for trace in range(1, 11):
        for number in range(1, 6):
            ring.add(span(trace, number))
    assert ids(ring) == [10, 9, 8, 7]
