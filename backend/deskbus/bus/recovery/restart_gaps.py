"""Gaps of topics without a log, for a client that begins anew."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from deskbus.bus.broker import MessageBroker
from deskbus.bus.encoded_message import stamps
from deskbus.bus.route import Topic
from deskbus.reliability.fair_queue import Piece
from deskbus_protocol.bus import DIRECTED_SEQ, GapParams, GapReason, Mark
from deskbus_protocol.topics import is_wildcard, literal_start


def restart_gaps(
    broker: MessageBroker,
    pattern: str,
    wants: Callable[[str], bool],
    *,
    mark: Mark | None,
    since_ms: int,
    seen: Mapping[str, Mapping[str, int]],
    coming: Callable[[str], int | None],
) -> Iterator[list[GapParams]]:
    """Ranges of the topics of `pattern` that `wants` names, behind what the client has `seen`.

    That is told for each run. A topic that it has nothing of is told from its `mark` on, or from
    `since_ms` without one; of a run that began after the mark from the beginning. Of this run they
    end where the topic now is, or before the first seq of those that are `coming` to the client
    on it. How far an earlier one went nobody knows, so those end where no seq ever comes to. There
    may be many topics: each list is of those that were looked at in one piece.
    """
    known = seen.get(broker.epoch, {})
    if mark is not None:
        since_ms = mark.timestamp if mark.epoch == broker.epoch else 0
    found: list[GapParams] = []
    piece = Piece()
    for gap in chain(
        _of_earlier_runs(broker.epoch, wants, seen),
        _of_this_run(broker, pattern, wants, since_ms, known, coming),
    ):
        if gap is not None:
            found.append(gap)
        if piece.is_over:
            yield found
            found = []
            piece.begin()
    yield found


def _of_earlier_runs(
    epoch_now: str, wants: Callable[[str], bool], seen: Mapping[str, Mapping[str, int]]
) -> Iterator[GapParams | None]:
    for epoch, last_seqs in seen.items():
        for topic, seq in last_seqs.items():
            is_gap = epoch != epoch_now and seq < DIRECTED_SEQ - 1 and wants(topic)
            yield _gap(topic, epoch, seq + 1, DIRECTED_SEQ - 1, "restarted") if is_gap else None


def _of_this_run(
    broker: MessageBroker,
    pattern: str,
    wants: Callable[[str], bool],
    since_ms: int,
    known: Mapping[str, int],
    coming: Callable[[str], int | None],
) -> Iterator[GapParams | None]:
    topics, start = broker.topics, literal_start(pattern)
    exact = None if is_wildcard(pattern) else topics.find(pattern)
    for found in topics.all() if is_wildcard(pattern) else filter(None, [exact]):
        name = found.name
        is_early = name not in known and found.timestamp < since_ms
        if is_early or not name.startswith(start) or not wants(name):
            yield None
            continue
        last = known[name] if name in known else _last_before(found, since_ms)
        first_coming = coming(name)
        end = found.seq if first_coming is None else min(found.seq, first_coming - 1)
        gap = _gap(name, broker.epoch, last + 1, end, "disconnected") if last < end else None
        yield gap


def _gap(topic: str, epoch: str, first: int, last: int, reason: GapReason) -> GapParams:
    return GapParams(topic=topic, epoch=epoch, first=first, last=last, reason=reason)


def _last_before(topic: Topic, since_ms: int) -> int:
    """The last seq before a time; 0 where the history does not reach back so far."""
    if topic.timestamp < since_ms:
        return topic.seq
    before = 0
    for line in topic.history:
        read = stamps(line)
        if read.timestamp >= since_ms:
            break
        before = read.seq
    return before
