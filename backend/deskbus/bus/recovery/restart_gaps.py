"""Gaps of topics without a log, for a client that begins anew."""

from collections.abc import Callable, Iterator, Mapping

from deskbus.bus.broker import MessageBroker
from deskbus.bus.line import stamps
from deskbus.bus.route import Topic
from deskbus_protocol.bus import DIRECTED_SEQ, GapParams, Mark


def restart_gaps(
    broker: MessageBroker,
    pattern: str,
    wants: Callable[[str], bool],
    *,
    mark: Mark | None,
    since_ms: int,
    seen: Mapping[str, Mapping[str, int]],
    waiting: Mapping[str, int],
) -> Iterator[GapParams]:
    """Ranges of the topics of `pattern` that `wants` names, behind what the client has `seen`.

    That is told for each run. A topic that it has nothing of is told from its `mark` on, or from
    `since_ms` without one; of a run that began after the mark from the beginning. Of this run they
    end where the topic now is, or before the first seq of those that are `waiting` for the client
    by topic. How far an earlier one went nobody knows, so those end where no seq ever comes to.
    """
    for epoch, last_seqs in seen.items():
        if epoch == broker.epoch:
            continue
        for topic, seq in last_seqs.items():
            if wants(topic) and seq < DIRECTED_SEQ - 1:
                yield GapParams(
                    topic=topic,
                    epoch=epoch,
                    first=seq + 1,
                    last=DIRECTED_SEQ - 1,
                    reason="restarted",
                )
    known = seen.get(broker.epoch, {})
    if mark is not None:
        since_ms = mark.timestamp if mark.epoch == broker.epoch else 0
    for found in broker.topics.below(pattern):
        if found.name not in known and found.timestamp < since_ms:
            continue
        if not wants(found.name):
            continue
        last = known[found.name] if found.name in known else _last_before(found, since_ms)
        end = min(found.seq, waiting.get(found.name, found.seq + 1) - 1)
        if last < end:
            yield GapParams(
                topic=found.name,
                epoch=broker.epoch,
                first=last + 1,
                last=end,
                reason="disconnected",
            )


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
