"""The examples and rules of W3C Trace Context, level 1, section 3.2."""

import pytest

from deskbus.observability.tracing.traceparent import parse, traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True)])
def test_the_last_bit_of_the_flags_says_whether_it_is_sampled(flags: str, sampled: bool) -> None:
    found = parse(f"00-{TRACE}-{SPAN}-{flags}")
    assert found == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-1",
    ],
)
def test_what_breaks_the_format_is_ignored(text: str) -> None:
    assert parse(text) is None


def test_a_later_version_may_go_on_behind_the_flags() -> None:
    assert parse(f"cc-{TRACE}-{SPAN}-01-later") == (TRACE, SPAN, True)


def test_ours_is_read_back() -> None:
    assert parse(traceparent(TRACE, SPAN)) == (TRACE, SPAN, True)
