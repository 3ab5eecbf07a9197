"""The waterfall."""

from hypothesis import given
from hypothesis import strategies as st

from deskbus.commands.trace import in_order, waterfall
from deskbus_protocol.traces import TraceResult, TraceSpan


def span(number: int, parent: int, start: float = 0.0, duration: float = 1.0) -> TraceSpan:
    return TraceSpan(
        span_id=str(number), parent_id=str(parent) if parent else "", name=f"step {number}",
        kind="internal", start=start, duration=duration,
    )  # fmt: skip


def test_children_stand_below_their_parents_to_scale() -> None:
    trace = TraceResult(
        trace_id="ab" * 16, start=0.0, duration=100.0,
        spans=[span(1, 9, 0, 100), span(2, 1, 0, 50), span(3, 2, 25, 25), span(4, 1, 50, 50)],
    )  # fmt: skip
    _, *lines = waterfall(trace, 120)
    assert [line.split("█")[0].rstrip() for line in lines] == [
        "step 1", "  step 2", "    step 3", "  step 4",
    ]  # fmt: skip
    assert [line.count("█") for line in lines] == [40, 20, 10, 20]
    assert lines[3].index("█") == lines[0].index("█") + 20


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), max_size=30))
def test_every_span_is_drawn_once_whatever_clients_have_told(edges: list[tuple[int, int]]) -> None:
    spans = [span(number, parent) for number, parent in edges]
    drawn = [each for _, each in in_order(spans)]
    assert sorted(map(id, drawn)) == sorted(map(id, spans))
    assert len(waterfall(TraceResult(trace_id="", start=0, duration=1, spans=spans), 80)) == (
        len(spans) + 1
    )


def test_control_characters_of_a_client_move_no_terminal() -> None:
    hostile = TraceSpan(
        span_id="1", parent_id="", name="\x1b]0;owned\x07", kind="internal", start=0, duration=1
    )
    lines = waterfall(TraceResult(trace_id="", start=0, duration=1, spans=[hostile]), 80)
    assert "\x1b" not in "".join(lines)
