"""The broker as one client publishes through it, with the client's identity already in it."""

from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Raw

from deskbus.bus.broker import Plain, Refuse
from deskbus.bus.member import Member
from deskbus.bus.pending_requests import Settled
from deskbus.bus.route import Topic
from deskbus.bus.service import InterApplicationBus, needs
from deskbus.contracts.message_log import DurabilityLog
from deskbus.observability.tracing.call_trace import trace_id_of
from deskbus_protocol.bus import PublishParams, RequestParams, RespondParams, SendParams, SendResult


class ClientPublisher:
    __slots__ = (
        "_broker",
        "_bus",
        "_client",
        "_latency",
        "_window",
        "check_durable",
        "when_durable",
    )

    def __init__(self, bus: InterApplicationBus, member: Member, log: DurabilityLog) -> None:
        self._bus = bus
        self._broker = bus.broker
        self._latency = bus.latency
        self._client = member.client
        self._window = member.window
        self.check_durable = log.check_durable
        self.when_durable = log.when_durable

    def publish_plain(self, messages: Iterable[Plain], refuse: Refuse) -> Topic | None:
        topic = self._broker.publish_plain(self._client, messages, refuse)
        if topic is not None and self._latency is not None and self._latency.since_s:
            self._bus.sample(topic.targets, "")
        return topic

    def publish(self, topic: str, payload: Raw, options: PublishParams) -> Topic:
        """Raises `DeskbusError` (invalid_topic, permission_denied, unavailable)."""
        routed = self._broker.publish(self._client, topic, payload, options)
        if self._latency is not None and self._latency.since_s:
            self._bus.sample(routed.targets, trace_id_of(options.meta))
        return routed

    def may_now(self, params: SendParams | RequestParams) -> bool:
        """Whether `send` or `request` would do it, rather than return None."""
        return self._bus.is_granted(self._client, needs(params))

    def send(self, params: SendParams) -> SendResult | None:
        """None, with nothing done, where a person may have to be asked first.

        Raises `DeskbusError` (no_subscriber, invalid_topic).
        """
        return self._bus.send_now(self._client, params)

    def request(self, params: RequestParams, settled: Settled) -> Callable[[], None] | None:
        """Asks, and returns what withdraws the request; `settled` is called once, later.

        None, with nothing done, where a person may have to be asked first. Raises `DeskbusError`:
        no_subscriber, or what publishing raises.
        """
        request = self._bus.request_now(self._client, params, settled)
        return None if request is None else partial(self._bus.pending_requests.withdraw, request)

    def respond(self, params: RespondParams) -> None:
        """Raises `DeskbusError`: not_found, permission_denied, invalid_params."""
        self._bus.pending_requests.respond(self._client, params)

    def acknowledge(self, topic: str, seqs: list[int], epoch: str) -> None:
        self._window.acknowledge(topic, seqs, "" if epoch == self._broker.epoch else epoch)
