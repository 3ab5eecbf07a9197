"""InterApplicationBus: what apps see of the bus. Joins members, broker, and request/response."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import anyio
from msgspec import UNSET, Raw, UnsetType

from deskbus.bus.broker import MessageBroker
from deskbus.bus.delivery.dead_letters import DeadLetterQueue
from deskbus.bus.delivery.gap_notices import MAX_TOPICS as MAX_TOPICS_TOLD
from deskbus.bus.delivery.late_arrivals import LateArrivals
from deskbus.bus.delivery.offline_queue import QueueBudget
from deskbus.bus.encoded_message import envelope
from deskbus.bus.member import Connected, Member
from deskbus.bus.pending_requests import PendingRequest, PendingRequests, Settled
from deskbus.bus.presence import SubscriberPresence
from deskbus.bus.recovery.session_catchup import SessionCatchup
from deskbus.bus.route import BusClient, Reader
from deskbus.bus.traced_stages import Stages, continued
from deskbus.contracts.bus_access import BusAccess
from deskbus.observability.metrics.delivery_latency import DeliveryLatency
from deskbus.observability.tracing import call_trace, conventions
from deskbus.reliability.fair_queue import Chores, FairQueue, Piece, Pieces
from deskbus.storage.clocks import ClockMs, awake_ms
from deskbus_protocol.bus import (
    Mode,
    PublishParams,
    RequestParams,
    SendParams,
    SendResult,
    Source,
    SubscriberParams,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    INVALID_PARAMS,
    NO_SUBSCRIBER,
    PERMISSION_DENIED,
    SESSION_REQUIRED,
    DeskbusError,
)
from deskbus_protocol.history import BusStats, ClientQueue, LettersResult
from deskbus_protocol.permissions import Grant, PermissionsChangedParams
from deskbus_protocol.reconnection import SESSION_GRACE_MS
from deskbus_protocol.topics import check_topic
from deskbus_protocol.wire.rpc import encode, notification

KEEP_ACKNOWLEDGED_MS = 24 * 60 * 60 * 1000
"""How long what a client has not acknowledged is kept for it; then it is dead."""


SAMPLED_READERS = 16
"""Readers sampled for one message; more would add nothing."""

MAX_PIECES_WAITING = 1024
"""Pieces of work waiting for one app: as many as it may have calls in progress."""

SCANS_AT_ONCE = 8
"""Concurrent scans of all topics, each of which holds a list of them."""

OWN = ""
"""Stands for no app, where apps take turns with the backend itself."""

MAX_AWAY = 512
"""Clients of one app that may come back; beyond, who is away longest can't any more."""


class InterApplicationBus:
    """Members stay for `SESSION_GRACE_MS` after they leave, or longer where something is owed.

    `on_gone` is told the app of a member that is given up, when no other of that app is left,
    `on_ended` each member that can't come back.
    """

    def __init__(
        self,
        broker: MessageBroker,
        acl: BusAccess,
        *,
        on_gone: Callable[[str], None],
        on_ended: Callable[[ClientId], None] = lambda _: None,
        awake_ms: ClockMs = awake_ms,
        latency: DeliveryLatency | None = None,
    ) -> None:
        self.latency = latency
        self.broker = broker
        self.dead_letters = DeadLetterQueue(broker.clock_ms)
        self.pending_requests = PendingRequests()
        self._acl = acl
        self._chores = Chores()
        self.pieces = Pieces(MAX_PIECES_WAITING)
        self.scans = FairQueue(SCANS_AT_ONCE, of_one=1, max_waiting=MAX_PIECES_WAITING)
        later = partial(self._chores.add, OWN)
        self._late = LateArrivals(later)
        self._watchers = SubscriberPresence(acl.may_write_all, later)
        self._on_gone = on_gone
        self._on_ended = on_ended
        self._awake_ms = awake_ms
        self._ticking: Iterator[Member] | None = None
        self._members: dict[ClientId, Member] = {}
        self._budgets: dict[str, QueueBudget] = {}

    def attach(
        self,
        identity: ClientId,
        connection: Connected,
        *,
        resume: bool,
        catchup: SessionCatchup | None = None,
        at_once: bool = True,
    ) -> bool:
        """Lets a client take part; returns whether it took up where it had left.

        It then gets its `catchup`, where it told the last messages that it has. Without `resume`
        it starts afresh: what waited for its live subscriptions is dead, what it has not
        acknowledged comes again once it subscribes. Not `at_once`, what waited for it goes out by
        its `Member.go_on`.
        """
        member = self._members.get(identity)
        if member is not None and member.here:
            self.detach(identity)
        if member is not None and resume and member.intact and _can_be_told(catchup):
            self._take_up(member, connection, catchup)
            while at_once and member.go_on():
                pass
            return True
        if member is not None:
            self._restart(member)
        else:
            member = self._members[identity] = Member(
                identity,
                epoch=self.broker.epoch,
                clock_ms=self.broker.clock_ms,
                awake_ms=self._awake_ms,
                dead_letters=self.dead_letters,
                budget=self._budgets.setdefault(identity.app, QueueBudget()),
                later=partial(self._chores.add, identity.app),
                late=self._late,
            )
        if not any(m.here for m in self._members.values() if m.identity.app == identity.app):
            self._on_gone(identity.app)
        member.connect(connection, self.reads_of(identity))
        member.go_on()
        return False

    def catchup(self, identity: ClientId, last_seqs: Mapping[str, int]) -> SessionCatchup | None:
        """The messages that a client missed since `last_seqs`; None where nothing is kept.

        From now on it is away, and what comes meanwhile waits for it.
        """
        self.detach(identity)
        member = self._members.get(identity)
        if member is None or not member.intact:
            return None
        return SessionCatchup(self.broker, member, last_seqs)

    def detach(self, identity: ClientId, *, for_good: bool = False) -> None:
        """Notes that a client disconnected: its messages wait, unless it left for good."""
        member = self._members.get(identity)
        if member is not None and member.here:
            member.disconnect()
            self.pending_requests.lose(member.client)
            self._watchers.unwatch(identity)
            for pattern in member.client.subscriptions:
                self._watchers.removed(member, pattern, away=not for_good)
            self._make_room(identity.app)

    def leave(self, identity: ClientId) -> None:
        """Removes a client for good: nothing is kept for it, and it can't come back."""
        self.detach(identity, for_good=True)
        member = self._members.get(identity)
        if member is not None:
            self._restart(member)
            self._end(member)
            self._tell_gone(identity.app)

    def knows(self, identity: ClientId) -> bool:
        """Whether the client is here, or may still come back."""
        return identity in self._members

    def member(self, identity: ClientId) -> Member:
        """Raises `DeskbusError` (session_required) for a client that is not here."""
        member = self._members.get(identity)
        if member is None or not member.here:
            raise DeskbusError(SESSION_REQUIRED)
        return member

    @property
    def members(self) -> list[Member]:
        return list(self._members.values())

    def tick(self) -> None:
        """Does what is due: expiry, redelivery, and members who stay away too long."""
        for _ in self._tick():
            pass

    def begin_tick(self) -> None:
        """As `tick`, piece by piece in turns of the loop that follow."""
        if self._ticking is None:
            self._ticking = self._tick()
            self._chores.add(OWN, self._go_on_ticking)

    def _go_on_ticking(self) -> bool:
        try:
            is_left = self._ticking is not None and next(self._ticking, None) is not None
        except BaseException:
            self._ticking = None
            raise
        if not is_left:
            self._ticking = None
        return is_left

    def _tick(self) -> Iterator[Member]:
        """Each step gives the member that it has come to."""
        piece = Piece()
        for member in self.members:
            while member.tick():
                yield member
                piece.begin()
            now = self._awake_ms()
            away_ms = 0 if member.away_since is None else now - member.away_since
            if away_ms >= SESSION_GRACE_MS and self._members.get(member.identity) is member:
                self._end_grace(member, away_ms)
            if piece.is_over:
                yield member
                piece.begin()

    def grants_changed(self, app: str, epoch: int) -> None:
        """Applies changed permissions of `app` to what is cached, read, and waiting for it.

        Its clients are told, each with the subscriptions that it has lost.
        """
        affected = [member for member in self.members if member.identity.app == app]
        self.broker.grants_changed([member.client for member in affected])
        self.pending_requests.revoke(app, self.is_granted)
        for member in affected:
            lost = [
                pattern
                for pattern in member.client.subscriptions
                if not self._acl.may_subscribe(member.identity, pattern)
            ]
            for pattern in lost:
                self._close(member, pattern)
            member.revoke(self.reads_of(member.identity))
            if member.connection is not None:
                word = PermissionsChangedParams(app=app, epoch=epoch, closed=lost)
                line = notification("permissions.changed", word) + b"\n"
                member.connection.put(line, None, 0)

    def subscribe(
        self, identity: ClientId, pattern: str, mode: Mode, sources: Sequence[Source] = ()
    ) -> None:
        """Raises `DeskbusError` (invalid_topic, invalid_params, overloaded)."""
        member = self.member(identity)
        if sources and mode != "live":
            raise DeskbusError(INVALID_PARAMS, "Only live subscriptions can name sources.")
        known = pattern in member.client.subscriptions
        self.broker.check_room(member.client, pattern)
        reader = member.acknowledged if mode == "acknowledged" else member.live
        self.broker.subscribe(member.client, pattern, member.filtered if sources else reader)
        if sources:
            member.sources.set(pattern, sources)
        else:
            member.sources.drop(pattern)
        if not known:
            self._watchers.added(member, pattern)

    def unsubscribe(self, identity: ClientId, pattern: str) -> None:
        """Raises `DeskbusError` (not_found)."""
        self._close(self.member(identity), pattern)

    async def watch_subscribers(
        self, identity: ClientId, *, enabled: bool
    ) -> list[SubscriberParams]:
        """Starts or ends telling a client who subscribes; returns who does now.

        Raises `DeskbusError` (session_required, overloaded).
        """
        if not enabled:
            self._watchers.unwatch(identity)
            return []
        steps = self._watchers.watch(self.member(identity), self.members)
        while (found := next(steps)) is None:
            async with self.pieces.take(identity.app):
                pass
        return found

    def send(self, client: BusClient, params: SendParams) -> SendResult:
        """Raises `DeskbusError` (permission_denied, no_subscriber, invalid_topic)."""
        client_name = None if isinstance(params.client, UnsetType) else params.client
        targets = self._addressees(client.identity, params.app, client_name, params.topic)
        topic = self.broker.topics.direct(params.topic)
        self.broker.send(client, targets, topic, params.payload, _options(params))
        return SendResult(id=topic.last_id.decode(), receivers=len(targets))

    async def request(self, client: BusClient, params: RequestParams) -> Raw:
        """The `RequestResult` as JSON.

        Raises `DeskbusError`: no_subscriber, timeout, responder_failed, permission_denied.
        """
        settled = anyio.Event()
        outcomes: list[bytes | DeskbusError] = []

        def settle(outcome: bytes | DeskbusError) -> None:
            outcomes.append(outcome)
            settled.set()

        span = call_trace.current().span
        if span is None:
            request = self._ask(client, params, settle, None)
        else:
            stages = Stages(span)
            with self.broker.observed(stages):
                request = self._ask(client, continued(params, span), settle, None)
            stages.deliver_soon(self.broker.topics.find(params.topic), params)
        try:
            await settled.wait()
        finally:
            self.pending_requests.withdraw(request)
        outcome = outcomes.pop()
        if span is not None:
            error = outcome.kind.category if isinstance(outcome, DeskbusError) else ""
            attributes = {conventions.MESSAGING_DESTINATION_NAME: params.topic}
            span.child().end(f"reply {params.topic}", attributes, error=error)
        if isinstance(outcome, DeskbusError):
            raise outcome
        return Raw(outcome)

    def is_granted(self, client: BusClient, wanted: Grant) -> bool:
        """Whether nobody need be asked for it."""
        if wanted.permission == "messaging.write" and wanted.scope in client.writable:
            return True
        return self._acl.is_granted(client.identity, wanted)

    def send_now(self, client: BusClient, params: SendParams) -> SendResult | None:
        """As `send`; None, with nothing done, where a person may have to be asked first."""
        return self.send(client, params) if self.is_granted(client, needs(params)) else None

    def request_now(
        self, client: BusClient, params: RequestParams, settled: Settled
    ) -> PendingRequest | None:
        """Asks; None, with nothing done, where a person may have to be asked first.

        Where the permission is taken back later, the request ends. Raises `DeskbusError`:
        no_subscriber, or what publishing and sending raise.
        """
        granted = needs(params)
        if not self.is_granted(client, granted):
            return None
        return self._ask(client, params, settled, granted)

    def redrive(self, numbers: list[int] | None) -> LettersResult:
        """Gives dead letters to their clients again; those of clients that are gone stay."""
        letters = self.dead_letters.take(numbers)
        left = []
        for letter in letters:
            member = self._members.get(letter.addressee)
            reader = member.client.reader_of(letter.topic) if member else None
            if reader is None or not self._acl.may_read(letter.addressee, letter.topic):
                left.append(letter)
            else:
                reader.put(letter.line, letter.topic, letter.seq)
        self.dead_letters.put_back(left)
        return LettersResult(done=len(letters) - len(left), left=len(left))

    def purge(self, numbers: list[int] | None) -> LettersResult:
        return LettersResult(done=len(self.dead_letters.take(numbers)), left=0)

    def history(self, identity: ClientId, topic: str, limit: int) -> list[Raw]:
        """The last messages of a topic; raises `DeskbusError` (permission_denied)."""
        if not self._acl.may_read(identity, topic):
            raise DeskbusError(PERMISSION_DENIED, f"This app may not read {topic}.")
        return [envelope(line) for line in self.broker.history(topic)[-limit:]]

    def queues(self) -> list[ClientQueue]:
        return [
            ClientQueue(
                app=member.identity.app,
                client=member.identity.client,
                online=member.here,
                queued=len(member.queue),
                queued_bytes=member.queue.bytes,
                unacknowledged=len(member.window),
            )
            for member in self.members
        ]

    def statistics(self) -> BusStats:
        broker, members = self.broker, self.members
        return BusStats(
            clients=sum(member.here for member in members),
            offline_clients=sum(not member.here for member in members),
            subscriptions=sum(len(member.client.subscriptions) for member in members),
            topics=len(broker.topics),
            messages_in=broker.messages_in,
            messages_out=broker.messages_out,
            bytes_in=broker.bytes_in,
            queued=sum(len(member.queue) for member in members),
            unacknowledged=sum(len(member.window) for member in members),
            dead_letters={str(reason): n for reason, n in self.dead_letters.counts.items()},
            cache_hits=broker.messages_in - broker.cache_misses,
            cache_misses=broker.cache_misses,
            slow_readers=sum(
                member.connection is not None and member.connection.slow for member in members
            ),
            history_bytes=broker.topics.history_bytes,
        )

    def sample(self, readers: Sequence[Reader], trace_id: str) -> None:
        """Tells the latency's samples by which modes a message has gone out just now."""
        if self.latency is None:
            return
        for reader in readers[:SAMPLED_READERS]:
            member = self._members.get(reader.client.identity)
            if member is None or member.connection is None or member.connection.slow:
                continue
            if reader is member.live:
                self.latency.delivered("live", trace_id)
            elif reader is member.acknowledged and member.window.sends_at_once:
                self.latency.delivered("acknowledged", trace_id)

    def _ask(
        self,
        client: BusClient,
        params: RequestParams,
        settled: Settled,
        granted: Grant | None,
    ) -> PendingRequest:
        request = PendingRequest(client, settled, granted)
        options = _options(params)
        if isinstance(params.app, UnsetType):
            topic = self.broker.publish(
                client, params.topic, params.payload, options, request.token
            )
            targets = topic.targets
        else:
            targets = self._addressees(client.identity, params.app, None, params.topic)
            topic = self.broker.topics.direct(params.topic)
            self.broker.send(client, targets, topic, params.payload, options, request.token)
        request.asked = {target.client for target in targets if self._is_here(target)}
        if not request.asked:
            raise DeskbusError(NO_SUBSCRIBER, f"Nobody answers requests on {params.topic}.")
        request.in_memory = topic.in_memory
        own = params.correlation_id
        request.correlation = encode(own) if isinstance(own, str) else b'"%b"' % topic.last_id
        self.pending_requests.open(request, params.timeout)
        return request

    def reads_of(self, identity: ClientId) -> Callable[[str], bool]:
        """Whether this client may read a topic, as of when it is asked."""
        return lambda topic: self._acl.may_read(identity, topic)

    def _close(self, member: Member, pattern: str) -> None:
        self.broker.unsubscribe(member.client, pattern)
        member.sources.drop(pattern)
        if member.here:
            self._watchers.removed(member, pattern, away=False)

    def _is_here(self, reader: Reader) -> bool:
        member = self._members.get(reader.client.identity)
        return member is not None and member.here

    def _take_up(
        self, member: Member, connection: Connected, catchup: SessionCatchup | None
    ) -> None:
        lines: list[tuple[bytes, str, int]] = []
        if catchup is not None and catchup.member is member:
            catchup.finish()
            for topic, first, last in catchup.gaps:
                member.lost_on_the_way(topic, first, last)
            lines = catchup.lines
        member.connect(connection, self.reads_of(member.identity), lines)
        for pattern in member.client.subscriptions:
            self._watchers.added(member, pattern)

    def _restart(self, member: Member) -> None:
        """The client begins anew under its identity; only what it owes an answer for stays."""
        self.broker.unsubscribe_all(member.client, but=member.acknowledged)
        member.forget_live()

    def _end_grace(self, member: Member, away_ms: int) -> None:
        """Ends live subscriptions; messages owed to an acknowledged reader are kept for longer."""
        if member.intact:
            self._restart(member)
            self._tell_gone(member.identity.app)
        if not member.client.subscriptions or away_ms >= KEEP_ACKNOWLEDGED_MS:
            self._end(member)

    def _make_room(self, app: str) -> None:
        """Ends the grace of who is away longest, where too many of one app are."""
        away = [
            member
            for member in self._members.values()
            if member.identity.app == app and member.away_since is not None
        ]
        if len(away) > MAX_AWAY:
            longest = min(away, key=lambda member: member.away_since or 0)
            self._restart(longest)
            self._end(longest)

    def _tell_gone(self, app: str) -> None:
        if not any(m.intact for m in self._members.values() if m.identity.app == app):
            self._on_gone(app)

    def _end(self, member: Member) -> None:
        member.give_up()
        self.broker.remove(member.client)
        del self._members[member.identity]
        app = member.identity.app
        if not any(other.app == app for other in self._members):
            del self._budgets[app]
        self._on_ended(member.identity)

    def _addressees(
        self, sender: ClientId, app: str, client: str | None, topic: str
    ) -> tuple[Reader, ...]:
        check_topic(topic)
        always = self._acl.may_send(sender, app)
        if not always and not self._acl.may_spend(sender, "app.send", app):
            raise DeskbusError(PERMISSION_DENIED, f"This app may not send to {app}.")
        found = tuple(
            reader
            for of, reader in self.broker.readers(topic).items()
            if of.identity.app == app
            and client in (None, of.identity.client)
            and self._acl.may_read(of.identity, topic)
        )
        if not found:
            raise DeskbusError(NO_SUBSCRIBER, f"No client of {app} listens on {topic}.")
        if not always:
            # A message without a receiver uses up nothing.
            self._acl.spend(sender, "app.send", app)
        return found


def _can_be_told(catchup: SessionCatchup | None) -> bool:
    """Whether a client can be told of all that it has missed; it begins anew where it can't."""
    return catchup is None or len(catchup.gaps) <= MAX_TOPICS_TOLD


def needs(params: SendParams | RequestParams) -> Grant:
    """The permission that a request or a directed message needs."""
    if isinstance(params.app, UnsetType):
        return Grant("messaging.write", params.topic)
    return Grant("app.send", params.app)


def _options(params: SendParams | RequestParams) -> PublishParams | None:
    """The members beyond topic and payload, where there are any."""
    if params.headers is UNSET and params.correlation_id is UNSET and params.meta is UNSET:
        return None
    return PublishParams(
        topic=params.topic,
        payload=params.payload,
        headers=params.headers,
        correlation_id=params.correlation_id,
        meta=params.meta,
    )
