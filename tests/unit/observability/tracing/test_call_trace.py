"""Messages that a call leads to carry the call's ids; those after it do not."""

import asyncio

import pytest
from msgspec import Raw

from deskbus.observability.tracing.call_trace import (
    EDGE_BYTES,
    CallTrace,
    answering,
    current,
    traced,
)
from deskbus_protocol.events import TicketMinted

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARAMS = Raw(
    b'{"correlationId":"c1","_meta":{"traceparent":"00-%b-b7ad6b7169203331-01"}}' % TRACE.encode()
)


@pytest.mark.requirement("3.4")
async def test_an_event_of_a_call_has_its_trace_and_its_correlation_id() -> None:
    with answering(PARAMS):
        event = traced(TicketMinted(app="a"))
    assert (event.trace_id, event.correlation_id) == (TRACE, "c1")
    assert traced(TicketMinted(app="a")).trace_id == ""


@pytest.mark.parametrize("params", [b"{}", b"[]", b"nonsense", b'{"_meta":{"traceparent":"00-x"}}'])
async def test_a_call_without_ids_gets_its_own_which_stay_the_same(params: bytes) -> None:
    with answering(Raw(params)):
        first = current()
        assert len(first.trace_id) == 32
        assert first.correlation_id
        assert current() == first


@pytest.mark.requirement("C")
@pytest.mark.parametrize("form", [b'{"_meta":%b,"state":"%b"}', b'{"state":"%b","_meta":%b}'])
async def test_ids_of_a_long_call_are_found_at_both_ends_of_its_parameters(form: bytes) -> None:
    meta = b'{"traceparent":"00-%b-b7ad6b7169203331-01"}' % TRACE.encode()
    state = b"x" * 10 * EDGE_BYTES
    parts = (meta, state) if form.index(b"_meta") < form.index(b"state") else (state, meta)
    with answering(Raw(form % parts)):
        assert current().trace_id == TRACE


@pytest.mark.requirement("C")
async def test_a_long_call_is_not_gone_through_where_it_gives_no_ids() -> None:
    with answering(Raw(b'{"state":"%b" this is no JSON' % (b"x" * 10 * EDGE_BYTES))):
        assert len(current().trace_id) == 32


async def test_a_task_that_outlives_its_call_carries_the_ids_no_longer() -> None:
    ended = asyncio.Event()

    async def later() -> CallTrace:
        await ended.wait()
        return current()

    with answering(PARAMS):
        task = asyncio.get_running_loop().create_task(later())
    ended.set()
    assert await task == CallTrace()


async def test_ids_of_its_own_are_kept() -> None:
    with answering(PARAMS):
        event = traced(TicketMinted(correlation_id="own"))
    assert (event.trace_id, event.correlation_id) == (TRACE, "own")
