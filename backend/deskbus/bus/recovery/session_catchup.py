"""Messages that a reconnecting client may have missed, from the topics' histories."""

from collections.abc import Mapping
from typing import NamedTuple

from deskbus.bus.broker import MessageBroker
from deskbus.bus.line import stamps
from deskbus.bus.member import Member
from deskbus.bus.route import Rank


class SessionCatchup(NamedTuple):
    """Lines to send again, and ranges (topic, first, last) that are not kept any more."""

    lines: list[tuple[bytes, str, int]]
    gaps: list[tuple[str, int, int]]


def session_catchup(
    broker: MessageBroker, member: Member, last_seqs: Mapping[str, int]
) -> SessionCatchup:
    """Messages after those that the client has, and before those that wait in its queue.

    Of a topic that it has nothing of, what came since it began, for an answer may have been lost.
    Acknowledged messages are not among them: they come again by themselves.
    """
    queued = member.queue.first_seqs()
    found = SessionCatchup([], [])
    for topic in broker.topics.all():
        reader = member.client.reader_of(topic.name)
        if reader is None or reader.rank > Rank.LIVE:
            continue
        end = queued.get(topic.name, topic.seq + 1)
        known = last_seqs.get(topic.name)
        kept = [(line, stamps(line)) for line in topic.history]
        if known is None:
            first = member.joined_at
            wanted = [(line, read) for line, read in kept if read.timestamp >= first]
        else:
            wanted = [(line, read) for line, read in kept if read.seq > known]
            oldest = min((read.seq for _, read in kept), default=end)
            if known + 1 < min(oldest, end):
                found.gaps.append((topic.name, known + 1, min(oldest, end) - 1))
        found.lines.extend((line, topic.name, read.seq) for line, read in wanted if read.seq < end)
    return found
