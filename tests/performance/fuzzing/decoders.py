"""Invariants of the decoders under any bytes; each check raises `AssertionError`."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from unittest import mock

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus.rpc import frames
from deskbus.rpc.compact_frames import CompactParams
from deskbus.rpc.dispatch.calls_in_progress import CallsInProgress
from deskbus.rpc.fastpath import Answer, FastPath, Published, Settled
from deskbus.rpc.rejection_notices import RejectionNotices
from deskbus.transport.outbox import Flusher, Outbox
from deskbus_protocol.bus import PublishParams, RequestParams, RespondParams, SendParams, SendResult
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.method import TraceContext
from deskbus_protocol.wire import framing
from deskbus_protocol.wire.framing import Decoder, FramingDecoder, FramingLostError, LineDecoder

SMALL_FRAME_BYTES = 700
LOST = b"the framing was lost"

Routed = tuple[str, str, bytes, TraceContext | UnsetType]
"""Method, topic or token, payload, and trace context."""


def framing_holds(block: bytes, pieces: list[bytes]) -> None:
    """A stream gives the same frames however it is cut; lines are those that fit the limit."""
    with mock.patch.object(framing, "MAX_FRAME_BYTES", SMALL_FRAME_BYTES):
        whole = _fed(FramingDecoder(), [block])
        cut = _fed(FramingDecoder(), pieces)
        got, refused = _fed(LineDecoder(), pieces)
    assert whole == cut or LOST in (whole[0], cut[0]), "the frames depend on the cuts"
    assert (whole[0] == LOST) == (cut[0] == LOST), "whether framing is lost depends on the cuts"
    ended = [line + b"\n" for line in block.split(b"\n")[:-1]]
    fitting = [line for line in ended if len(line) <= SMALL_FRAME_BYTES]
    assert got == b"".join(fitting), "a line is missing, or one too many"
    begun = len(block.rpartition(b"\n")[2])
    over = len(fitting) < len(ended) or begun > SMALL_FRAME_BYTES
    assert refused == over, "a refusal is not told, or told without reason"


def reading_holds(block: bytes) -> None:
    """Nothing but `DeskbusError` is raised, only sound JSON is accepted, both lanes agree."""
    block = block[: block.rfind(b"\n") + 1]
    routed: list[Routed] = []
    outbox = Outbox(_NoFlusher(), lambda: None)
    fastpath = FastPath(outbox, RejectionNotices(lambda _frame: None), CallsInProgress())
    recorder = _Recorder(routed)
    fastpath.open(recorder)
    steps = fastpath.take(block, recorder.dispatch) if block else None
    careful = [_read(line) for line in block.split(b"\n")[:-1] if line.strip()]
    if steps is not None:
        # A long block is served in several turns of the loop.
        deque(steps, maxlen=0)
        assert routed == careful, "the direct lane and the careful way differ"


class _TopicAndPayload(msgspec.Struct):
    """Without limits on the topic: in both lanes the broker is their judge."""

    topic: str
    payload: Raw
    meta: TraceContext | UnsetType = msgspec.field(default=UNSET, name="_meta")


class _Nothing:
    def result(self) -> bytes:
        return b"{}"


class _NoFlusher(Flusher):
    """Nobody reads what is sent here."""

    def mark(self, outbox: Outbox) -> None:
        pass


class _Recorder:
    """A publisher that keeps what it was given."""

    def __init__(self, routed: list[Routed]) -> None:
        self._routed = routed

    def publish_plain(
        self, messages: Sequence[CompactParams], refuse: Callable[[DeskbusError, str], None]
    ) -> Published | None:
        self._routed += [
            ("bus.publish", message.topic, bytes(message.payload), message.meta)
            for message in messages
        ]
        return _Nothing()

    def publish(self, topic: str, payload: Raw, options: PublishParams) -> Published:
        self._routed.append(("bus.publish", topic, bytes(payload), options.meta))
        return _Nothing()

    def acknowledge(self, topic: str, seqs: list[int], epoch: str) -> None:
        """Nothing is owed here."""

    def send(self, params: SendParams) -> SendResult | None:
        """Nobody is sent to here."""

    def request(self, params: RequestParams, settled: Settled) -> Callable[[], None] | None:
        """Every request has to be dispatched here."""

    def dispatch(self, method: str, params: Raw, request_id: bytes, answer: Answer) -> None:
        asked = msgspec.json.decode(params, type=RequestParams)
        self._routed.append((method, asked.topic, bytes(asked.payload), asked.meta))

    def respond(self, params: RespondParams) -> None:
        assert isinstance(params.payload, Raw)
        self._routed.append(("bus.respond", params.reply_to, bytes(params.payload), params.meta))

    def check_durable(self, topic: str) -> None:
        """Every topic is durable here."""

    def when_durable(self, callback: Callable[[bool], None], topic: str) -> None:
        callback(True)


def _fed(decoder: Decoder, pieces: list[bytes]) -> tuple[bytes, bool]:
    """All frames and whether any was refused; `LOST` in place of the frames at a lost framing."""
    got = []
    refused = False
    for piece in pieces:
        try:
            got.append(decoder.feed(piece))
        except FramingLostError:
            return LOST, False
        refused = bool(decoder.take_refused()) or refused
    return b"".join(got), refused


def _read(line: bytes) -> Routed | None:
    """A single frame of a lane, read the careful way; None for anything else."""
    try:
        list(frames.checking(line))
        batch = frames.is_batch(line)
        members = frames.split_batch(line) if batch else [line]
    except DeskbusError:
        return None
    found: Routed | None = None
    for member in members:
        try:
            frame = frames.read(member)
        except DeskbusError:
            continue
        _is_sound(member)
        if isinstance(frame.method, str) and isinstance(frame.params, Raw) and not batch:
            found = _in_lane(frame.method, frame.params)
    return found


def _in_lane(method: str, params: Raw) -> Routed | None:
    try:
        if method == "bus.publish":
            message = msgspec.json.decode(params, type=_TopicAndPayload)
            return method, message.topic, bytes(message.payload), message.meta
        if method == "bus.request":
            asked = msgspec.json.decode(params, type=RequestParams)
            return method, asked.topic, bytes(asked.payload), asked.meta
        if method == "bus.respond":
            answer = msgspec.json.decode(params, type=RespondParams)
            return method, answer.reply_to, bytes(answer.payload or b""), answer.meta
    except msgspec.MsgspecError:
        pass
    return None


def _is_sound(frame: bytes) -> None:
    """An accepted frame is JSON by another parser's judgement too, and repeats no key."""
    try:
        envelope = json.loads(frame, object_pairs_hook=list, parse_constant=_refuse)
    except ValueError as error:
        raise AssertionError(f"accepted, but not JSON: {error}") from error
    for members in (envelope, dict(envelope).get("params")):
        keys = _keys(members)
        assert len(keys) == len(set(keys)), "a repeated key was accepted"


def _keys(value: object) -> list[str]:
    """The keys of what `json` read as an object: a list of pairs; an array gives none."""
    pairs = value if isinstance(value, list) else []
    return [pair[0] for pair in pairs if isinstance(pair, tuple)]


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
