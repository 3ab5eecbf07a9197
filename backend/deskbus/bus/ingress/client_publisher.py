"""The broker as one client publishes through it, with the client's identity already in it."""

from collections.abc import Iterable

from msgspec import Raw

from deskbus.bus.broker import MessageBroker, Plain, Refuse
from deskbus.bus.member import Member
from deskbus.bus.pending_requests import PendingRequests
from deskbus.bus.route import Topic
from deskbus.contracts.message_log import DurabilityLog
from deskbus_protocol.bus import PublishParams, RespondParams


class ClientPublisher:
    __slots__ = (
        "_broker",
        "_client",
        "_pending_requests",
        "_window",
        "check_durable",
        "when_durable",
    )

    def __init__(
        self,
        broker: MessageBroker,
        member: Member,
        pending_requests: PendingRequests,
        log: DurabilityLog,
    ) -> None:
        self._broker = broker
        self._pending_requests = pending_requests
        self._client = member.client
        self._window = member.window
        self.check_durable = log.check_durable
        self.when_durable = log.when_durable

    def publish_plain(self, messages: Iterable[Plain], refuse: Refuse) -> Topic | None:
        return self._broker.publish_plain(self._client, messages, refuse)

    def publish(self, topic: str, payload: Raw, options: PublishParams) -> Topic:
        """Raises `DeskbusError` (invalid_topic, permission_denied, unavailable)."""
        return self._broker.publish(self._client, topic, payload, options)

    def respond(self, params: RespondParams) -> None:
        """Raises `DeskbusError`: not_found, permission_denied, conflict, invalid_params."""
        self._pending_requests.respond(self._client, params)

    def acknowledge(self, topic: str, seqs: list[int], epoch: str) -> None:
        self._window.acknowledge(topic, seqs, "" if epoch == self._broker.epoch else epoch)
