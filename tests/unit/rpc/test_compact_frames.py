"""A block is taken as one only where every byte of it is explained by its parts."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.rpc import compact_frames
from deskbus.rpc.compact_frames import BlockKind
from deskbus_protocol.wire.framing import lines_of

ASK = b'{"jsonrpc":"2.0","id":%b,"method":"bus.request","params":{"topic":"a.b","payload":%b}}\n'
REPLY = b'{"jsonrpc":"2.0","id":%b,"method":"bus.respond","params":{"replyTo":"t","payload":%b}}\n'
PUBLISH = (
    b'{"jsonrpc":"2.0","id":%b,"method":"bus.publish","params":{"topic":"a.b","payload":%b}}\n'
)
READERS = {
    BlockKind.PUBLISHES: compact_frames.publishes,
    BlockKind.ASKS: compact_frames.asks,
    BlockKind.REPLIES: compact_frames.replies,
}
FRAMES = {BlockKind.PUBLISHES: PUBLISH, BlockKind.ASKS: ASK, BlockKind.REPLIES: REPLY}
KINDS = list(READERS)


def taken(block: bytes) -> list[tuple[bytes, bytes]] | None:
    """Ids and payloads; None where the block has to be read frame by frame."""
    kind = compact_frames.kind_of(block)
    if kind is None:
        return None
    try:
        found = READERS[kind](block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if found is None else [(bytes(f.id), bytes(f.params.payload or b"")) for f in found]


@pytest.mark.parametrize("kind", KINDS)
def test_compact_frames_of_one_method_are_taken(kind: BlockKind) -> None:
    frame = FRAMES[kind]
    block = frame % (b"1", b"{}") + frame % (b'"x"', '"é"'.encode()) + frame % (b"null", b"[1,2]")
    assert compact_frames.kind_of(block) is kind
    assert taken(block) == [(b"1", b"{}"), (b'"x"', '"é"'.encode()), (b"null", b"[1,2]")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_frame_of_another_method_is_never_taken_for_one_of_this(
    kind: BlockKind, other: BlockKind
) -> None:
    block = FRAMES[kind] % (b"1", b"{}") + FRAMES[other] % (b"2", b"{}")
    assert (taken(block) is not None) == (kind is other)


@pytest.mark.parametrize("kind", KINDS)
def test_anything_beside_the_parts_sends_the_block_the_careful_way(kind: BlockKind) -> None:
    frame = FRAMES[kind] % (b"1", b"{}")
    deep = b"[" * 127 + b"]" * 127
    for odd in (
        frame.replace(b'"id":1', b'"id": 1'),
        frame.replace(b'"id":1', b'"id":{}'),
        frame.replace(b'"params":{', b'"params":{"payload":1,'),
        frame.replace(b'"id":1', b'"id":1,"id":2'),
        frame.replace(b'"payload":{}', b'"payload":{},"headers":{}'),
        frame.replace(b"{}", deep),
        frame.replace(b'"payload":{}', b'"payload":"\xff"'),
        frame.replace(b',"payload":{}', b""),
    ):
        assert taken(frame + odd) is None, odd


def test_a_timeout_is_one_of_the_parts() -> None:
    block = ASK % (b"1", b"{}")
    with_timeout = block.replace(b'"payload":{}', b'"payload":{},"timeout":5000')
    found = compact_frames.asks(with_timeout + block)
    assert found is not None
    assert [frame.params.timeout for frame in found] == [5000, 10_000]
    assert taken(block.replace(b'"payload":{}', b'"payload":{},"timeout":0')) is None


def test_an_answer_with_an_error_is_read_the_careful_way() -> None:
    block = REPLY % (b"1", b"{}")
    refusal = block.replace(b'"payload":{}', b'"error":{"message":"no"}')
    assert taken(refusal) is None
    assert taken(block + refusal) is None


TRACED = b'"payload":{},"_meta":{"traceparent":"00-0123-4567-01"}'


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_context_is_one_of_the_parts(kind: BlockKind) -> None:
    plain = FRAMES[kind] % (b"1", b"{}")
    traced = plain.replace(b'"payload":{}', TRACED)
    assert taken(plain + traced + plain) == [(b"1", b"{}")] * 3
    both = traced.replace(b'-01"', b'-01","tracestate":"a=b"')
    assert taken(both + traced) == [(b"1", b"{}")] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_context_hides_nothing(kind: BlockKind) -> None:
    plain = FRAMES[kind] % (b"1", b"{}")
    traced = plain.replace(b'"payload":{}', TRACED)
    for odd in (
        traced.replace(TRACED, TRACED + TRACED[len(b'"payload":{}') :]),
        traced.replace(b'"_meta":{', b'"_meta":{"traceparent":"x",'),
        traced.replace(b'"_meta":{', b'"_meta":{"more":1,'),
        traced.replace(b"00-0123", b"\\u0030\\u0030-0123"),
        traced.replace(b'"_meta":{', b'"_meta": {'),
        plain.replace(b'"payload":{}', b'"payload":{},"_meta":null'),
    ):
        assert taken(plain + odd) is None, odd


def test_a_block_of_messages_tells_whether_one_of_them_is_traced() -> None:
    plain = PUBLISH.replace(b'"id":%b,', b"") % b"{}"
    traced = plain.replace(b'"payload":{}', TRACED)
    durable = plain.replace(b'"payload":{}', b'"payload":{},"durable":true')
    for block, expected in ((plain, False), (durable + plain, False), (plain + traced, True)):
        found = compact_frames.notifications(block)
        assert found is not None
        assert found.has_traced is expected
    assert compact_frames.notifications(plain + traced.replace(b"01", b"\\u0030\\u0031")) is None


@given(st.lists(st.sampled_from([PUBLISH, ASK, REPLY, b'{"id":%b,"x":%b}\n']), max_size=30))
def test_frames_of_one_kind_that_follow_each_other_are_one_run(forms: list[bytes]) -> None:
    lines = [form % (b"1", b"{}") for form in forms]
    runs = list(compact_frames.runs(b"".join(lines)))
    assert b"".join(runs) == b"".join(lines)
    kinds = [{compact_frames.kind_of(line) for line in lines_of(run)} for run in runs]
    assert all(len(found) == 1 for found in kinds)
    assert all(one != other for one, other in pairwise(kinds))
