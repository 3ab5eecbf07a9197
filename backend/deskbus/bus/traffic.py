"""Traffic: who talks to whom, worked out when somebody looks, at no cost to a message.

Rates come from the seqs of two looks, and the shares of writers from the last messages of a topic.
"""

from collections import Counter
from collections.abc import Iterable
from heapq import nlargest
from itertools import islice
from operator import itemgetter

import anyio.lowlevel
import msgspec

from deskbus.bus.encoded_message import envelope, origin, sender_of
from deskbus.bus.route import HISTORY_MESSAGES, Topic
from deskbus.bus.service import InterApplicationBus
from deskbus.storage.clocks import ClockMs, awake_ms
from deskbus_protocol.control import (
    MAX_TOPIC_ROWS,
    MAX_TRAFFIC_READERS,
    BusyTopic,
    ClientInfo,
    Talker,
    TopicListResult,
    TopicResult,
    TopicTraffic,
    TrafficReader,
    TrafficResult,
    TrafficWriter,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import NOT_FOUND, DeskbusError

MIN_PERIOD_MS = 900
"""A rate is taken over no less; who looks more often sees the last one."""

FORGET_AFTER_MS = 60_000
"""Nobody has looked for so long: the next look begins anew."""

TOPICS_AT_ONCE = 2_000
"""Looked at before others have their turn."""

RECENT_MS = 5_000
"""At a first look, topics on which something came so lately have a rate."""

FIRST_RATES = 500
"""Topics whose rate is worked out from their last messages at a first look."""

FRESH_SHARE = 0.4
"""Of a topic's writers, what the last messages weigh against those of the looks before."""

REMEMBERED_LOOKS = 10
"""The shares of a topic at which nobody has looked for so many are forgotten."""

LEAST_SHARE = 0.01
"""A writer of less is not told any more."""

MAX_TALKER_TOPICS = 100
"""The busiest topics; the rates of writers come from these."""


class Traffic:
    """A look changes nothing but the basis of comparison for the next."""

    def __init__(self, bus: InterApplicationBus, clock: ClockMs = awake_ms) -> None:
        self._bus = bus
        self._clock = clock
        self._seqs: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self._looked_at = -FORGET_AFTER_MS
        self._asked_at = -FORGET_AFTER_MS
        self._period = 0
        self._looks = 0
        self._shares: dict[str, tuple[int, dict[bytes, float]]] = {}
        """Of topics that were looked at: at which look, and the shares of their writers."""
        self._looking = anyio.Lock()

    def rest(self) -> None:
        """Drops the data of the last look once nobody has looked for a while."""
        if self._seqs and self._clock() - self._asked_at >= FORGET_AFTER_MS:
            self._seqs, self._rates, self._shares, self._period = {}, {}, {}, 0

    async def look(self, search: str, limit: int) -> TrafficResult:
        """The busiest topics that fit, with their writers and readers."""
        await self._refresh()
        topics = self._bus.broker.topics
        found: list[TopicTraffic] = []
        wanted = search.casefold()
        busiest = nlargest(MAX_TOPIC_ROWS if wanted else limit, self._ranked())
        for at, (_, _, name) in enumerate(busiest):
            topic = topics.find(name)
            if topic is None:
                continue
            if at % TOPICS_AT_ONCE == TOPICS_AT_ONCE - 1:
                await anyio.lowlevel.checkpoint()
            if wanted and wanted not in name.casefold() and not self._involves(topic, wanted):
                continue
            found.append(self.traffic_of(topic))
            if len(found) == limit:
                break
        return TrafficResult(period=self._period, topics=found, topic_count=len(topics))

    async def topics(self, search: str) -> TopicListResult:
        """All topics that fit, the busiest first."""
        await self._refresh()
        wanted = search.casefold()
        rows: list[tuple[float, int, str, int]] = []
        for at, topic in enumerate(self._bus.broker.topics.all()):
            if at % TOPICS_AT_ONCE == TOPICS_AT_ONCE - 1:
                await anyio.lowlevel.checkpoint()
            if wanted in topic.name.casefold():
                rows.append(
                    (self._rates.get(topic.name, 0.0), topic.seq, topic.name, topic.timestamp)
                )
        rows.sort(key=lambda row: (-row[0], -row[1], row[2]))
        del rows[MAX_TOPIC_ROWS:]
        find = self._bus.broker.topics.find
        known = [find(row[2]) for row in rows]
        return TopicListResult(
            topics=[row[2] for row in rows],
            rates=[round(row[0], 2) for row in rows],
            messages=[row[1] for row in rows],
            readers=[0 if topic is None else len(topic.targets) for topic in known],
            last=[row[3] for row in rows],
            topic_count=len(self._bus.broker.topics),
        )

    async def busiest(self, count: int) -> tuple[list[Talker], list[BusyTopic]]:
        """The clients that publish most, and the topics with most messages."""
        await self._refresh()
        find = self._bus.broker.topics.find
        talkers: Counter[tuple[str, str]] = Counter()
        topics: list[BusyTopic] = []
        for rate, _, name in nlargest(MAX_TALKER_TOPICS, self._ranked()):
            topic = find(name)
            if topic is None or rate <= 0:
                continue
            for writer in self._writers(topic):
                talkers[writer.app, writer.client] += rate * writer.share  # type: ignore[assignment]
            if len(topics) < count:
                readers = len(self._bus.broker.targets_of(topic))
                topics.append(BusyTopic(topic=name, rate=round(rate, 2), readers=readers))
        loudest = [
            Talker(app=app, client=client, rate=round(rate, 2))
            for (app, client), rate in talkers.most_common(count)
        ]
        return loudest, topics

    async def topic(self, name: str, after: int, limit: int) -> TopicResult:
        """Raises `DeskbusError` (not_found)."""
        await self._refresh()
        topic = self._bus.broker.topics.find(name)
        if topic is None:
            raise DeskbusError(
                NOT_FOUND,
                f"Nobody has published on {name} since the backend began.",
                action="See control.topics.",
            )
        first = topic.seq - len(topic.history) + 1
        fresh = topic.history[max(0, after + 1 - first) :] if after else topic.history
        shown = [] if topic.sensitive else fresh[-limit:]
        oldest = topic.seq - len(shown) + 1
        return TopicResult(
            traffic=self.traffic_of(topic),
            seq=topic.seq,
            messages=[envelope(line) for line in shown],
            skipped=max(0, oldest - after - 1) if after else 0,
        )

    def clients(self) -> list[ClientInfo]:
        now_ms, found = self._bus.broker.clock_ms(), []
        for member in self._bus.members:
            since_ms = member.queue.oldest_ms
            away = member.away_since
            found.append(
                ClientInfo(
                    app=member.identity.app,
                    client=member.identity.client,
                    online=member.here,
                    slow=member.connection is not None and member.connection.slow,
                    subscriptions=sorted(member.client.subscriptions),
                    queued=len(member.queue),
                    queued_bytes=member.queue.bytes,
                    unacknowledged=len(member.window),
                    oldest=0 if since_ms is None else max(0, now_ms - since_ms),
                    away=0 if away is None else max(0, awake_ms() - away),
                )
            )
        return found

    def traffic_of(self, topic: Topic) -> TopicTraffic:
        readers = self._bus.broker.targets_of(topic)
        return TopicTraffic(
            topic=topic.name,
            rate=round(self._rates.get(topic.name, 0.0), 2),
            messages=topic.seq,
            last=topic.timestamp,
            persisted=topic.persisted,
            sensitive=topic.sensitive,
            writers=self._writers(topic),
            readers=[
                TrafficReader(app=reader.client.identity.app, client=reader.client.identity.client)
                for reader in readers[:MAX_TRAFFIC_READERS]
            ],
            more_readers=max(0, len(readers) - MAX_TRAFFIC_READERS),
        )

    def _ranked(self) -> Iterable[tuple[float, int, str]]:
        find = self._bus.broker.topics.find
        for name, rate in self._rates.items():
            topic = find(name)
            if topic is not None:
                yield rate, topic.timestamp, name

    def _involves(self, topic: Topic, wanted: str) -> bool:
        names = [
            *(_decode_sender(sender).app for sender in _shares(topic)),
            *(reader.client.identity.app for reader in islice(topic.targets, MAX_TRAFFIC_READERS)),
        ]
        return any(wanted in name.casefold() for name in names)

    async def _refresh(self) -> None:
        """Takes the seqs of all topics, and rates from those of the look before."""
        async with self._looking:
            self._asked_at = now = self._clock()
            elapsed = now - self._looked_at
            if self._seqs and elapsed < MIN_PERIOD_MS:
                return
            before, self._looked_at = self._seqs, now
            seqs: dict[str, int] = {}
            rates: dict[str, float] = {}
            for at, topic in enumerate(self._bus.broker.topics.all()):
                if at % TOPICS_AT_ONCE == TOPICS_AT_ONCE - 1:
                    await anyio.lowlevel.checkpoint()
                seqs[topic.name] = topic.seq
                came = min(topic.seq - before.get(topic.name, topic.seq), topic.seq)
                rates[topic.name] = max(0, came) * 1000 / elapsed
            if not before:
                self._first_rates(rates)
            self._seqs, self._rates = seqs, rates
            self._looks += 1
            self._shares = {
                name: known
                for name, known in self._shares.items()
                if name in seqs and known[0] >= self._looks - REMEMBERED_LOOKS
            }
            self._period = elapsed if before else 0

    def _writers(self, topic: Topic) -> list[TrafficWriter]:
        """Those with most first, as of the last messages of this look and of those before.

        The last messages alone are a few of one burst: a writer of many would seem to be silent.
        """
        look, shares = self._shares.get(topic.name, (-1, {}))
        if look != self._looks:
            fresh = _shares(topic)
            weight = FRESH_SHARE if shares else 1.0
            shares = {
                sender: share
                for sender in {*shares, *fresh}
                if (
                    share := weight * fresh.get(sender, 0.0)
                    + (1 - weight) * shares.get(sender, 0.0)
                )
                >= LEAST_SHARE
            }
            self._shares[topic.name] = self._looks, shares
        total = sum(shares.values())
        found = []
        for sender, share in nlargest(MAX_TRAFFIC_READERS, shares.items(), key=itemgetter(1)):
            identity = _decode_sender(sender)
            found.append(
                TrafficWriter(app=identity.app, client=identity.client, share=share / total)
            )
        return found

    def _first_rates(self, rates: dict[str, float]) -> None:
        """Estimates rates at the first look from the timestamps of each active topic's last
        messages.
        """
        now_ms = self._bus.broker.clock_ms()
        recent = (
            topic
            for topic in self._bus.broker.topics.all()
            if len(topic.history) > 1 and now_ms - topic.timestamp < RECENT_MS
        )
        for topic in islice(recent, FIRST_RATES):
            began = origin(topic.history[0]).timestamp
            rates[topic.name] = (len(topic.history) - 1) * 1000 / max(MIN_PERIOD_MS, now_ms - began)


_decode_sender = msgspec.json.Decoder(ClientId).decode


def _shares(topic: Topic) -> dict[bytes, float]:
    """The senders of the last messages, each with its share of them."""
    counts = Counter(sender_of(line) for line in topic.history[-HISTORY_MESSAGES:])
    total = sum(counts.values())
    return {sender: count / total for sender, count in counts.items()}
