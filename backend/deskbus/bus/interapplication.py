"""InterApplicationBus: what apps see of the bus. Joins clients, broker, and request/response."""

import secrets
from collections.abc import Iterable
from typing import Protocol

import anyio
from msgspec import Raw, UnsetType

from deskbus.bus.broker import MessageBroker
from deskbus.bus.client import BusClient, Outlet
from deskbus.bus.topic import Topic
from deskbus_protocol.bus import (
    PublishParams,
    RequestParams,
    RequestResult,
    RespondParams,
    SendParams,
    SendResult,
)
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import (
    CONFLICT,
    INVALID_PARAMS,
    NO_SUBSCRIBER,
    NOT_FOUND,
    PERMISSION_DENIED,
    RESPONDER_FAILED,
    SESSION_REQUIRED,
    TIMEOUT,
    DeskbusError,
)
from deskbus_protocol.topics import check_topic

MAX_DIRECT_TOPICS = 10_000


class Acl(Protocol):
    """Who may send to whom, and read and write what."""

    def may_read(self, identity: Sender, topic: str) -> bool: ...

    def may_send(self, identity: Sender, app: str) -> bool: ...


class _Question:
    """A request that waits for the first answer of those who got it."""

    def __init__(self, asked: Iterable[BusClient]) -> None:
        self.asked = set(asked)
        self.settled = anyio.Event()
        self.answer: RequestResult | DeskbusError = DeskbusError(TIMEOUT)

    def settle(self, answer: RequestResult | DeskbusError) -> None:
        self.answer = answer
        self.settled.set()


class InterApplicationBus:
    def __init__(self, broker: MessageBroker, acl: Acl) -> None:
        self.broker = broker
        self._acl = acl
        self._clients: dict[Sender, BusClient] = {}
        self._direct: dict[tuple[str, str], Topic] = {}
        self._questions: dict[str, _Question] = {}

    @property
    def clients(self) -> list[BusClient]:
        return list(self._clients.values())

    def attach(self, identity: Sender, outlet: Outlet) -> BusClient:
        """Lets a client take part; the newest connection of an identity is the one that counts."""
        self.detach(identity)
        client = self._clients[identity] = BusClient(identity, outlet)
        return client

    def detach(self, identity: Sender, outlet: Outlet | None = None) -> None:
        """Ends a client's part; with `outlet`, only if the client is still at that one."""
        client = self._clients.get(identity)
        if client is None or (outlet is not None and client.outlet is not outlet):
            return
        del self._clients[identity]
        self.broker.remove(client)
        for question in self._questions.values():
            self._lose_responder(question, client)

    def client(self, identity: Sender) -> BusClient:
        """Raises `DeskbusError` (session_required) when the client was detached meanwhile."""
        client = self._clients.get(identity)
        if client is None:
            raise DeskbusError(SESSION_REQUIRED)
        return client

    def grants_changed(self, app: str) -> None:
        """Applies changed permissions of `app` to what is cached and to live subscriptions."""
        self.broker.grants_changed([c for c in self.clients if c.identity.app == app])

    def send(self, identity: Sender, params: SendParams) -> SendResult:
        """Raises `DeskbusError` (permission_denied, no_subscriber, invalid_topic)."""
        client_name = None if isinstance(params.client, UnsetType) else params.client
        targets = self._addressees(identity, params.app, client_name, params.topic)
        topic = self._direct_topic(params.app, params.topic)
        options = PublishParams(
            topic=params.topic,
            payload=params.payload,
            headers=params.headers,
            correlation_id=params.correlation_id,
            meta=params.meta,
        )
        self.broker.send(self.client(identity), targets, topic, params.payload, options)
        return SendResult(id=topic.last_id, receivers=len(targets))

    async def request(self, identity: Sender, params: RequestParams) -> RequestResult:
        """Raises `DeskbusError`: no_subscriber, timeout, responder_failed, permission_denied."""
        client = self.client(identity)
        token = secrets.token_urlsafe(16)
        options = PublishParams(
            topic=params.topic,
            payload=params.payload,
            headers=params.headers,
            correlation_id=params.correlation_id,
            meta=params.meta,
        )
        question = self._questions[token] = _Question(())
        try:
            if isinstance(params.app, UnsetType):
                topic = self.broker.publish(client, params.topic, params.payload, options, token)
                question.asked.update(topic.targets)
            else:
                targets = self._addressees(identity, params.app, None, params.topic)
                topic = self._direct_topic(params.app, params.topic)
                question.asked.update(targets)
                self.broker.send(client, targets, topic, params.payload, options, token)
            if not question.asked:
                raise DeskbusError(NO_SUBSCRIBER, f"Nobody answers requests on {params.topic}.")
            with anyio.move_on_after(params.timeout / 1000):
                await question.settled.wait()
        finally:
            del self._questions[token]
        if isinstance(question.answer, DeskbusError):
            raise question.answer
        return question.answer

    def respond(self, identity: Sender, params: RespondParams) -> None:
        """Raises `DeskbusError`: not_found, permission_denied, conflict, invalid_params."""
        question = self._questions.get(params.reply_to)
        if question is None:
            raise DeskbusError(NOT_FOUND, "Nobody waits for this answer any more.")
        if self.client(identity) not in question.asked:
            raise DeskbusError(PERMISSION_DENIED, "This request was not put to this client.")
        if question.settled.is_set():
            raise DeskbusError(CONFLICT, "Another client has answered already.")
        if isinstance(params.payload, Raw) == (not isinstance(params.error, UnsetType)):
            raise DeskbusError(INVALID_PARAMS, "An answer has either a payload or an error.")
        if not isinstance(params.error, UnsetType):
            question.settle(DeskbusError(RESPONDER_FAILED, params.error.message))
        elif isinstance(params.payload, Raw):
            question.settle(
                RequestResult(
                    payload=params.payload.copy(),
                    app=identity.app,
                    client=identity.client,
                    correlation_id=params.reply_to,
                )
            )

    def _addressees(
        self, sender: Sender, app: str, client: str | None, topic: str
    ) -> tuple[BusClient, ...]:
        check_topic(topic)
        if not self._acl.may_send(sender, app):
            raise DeskbusError(PERMISSION_DENIED, f"This app may not send to {app}.")
        found = tuple(
            candidate
            for candidate in self._clients.values()
            if candidate.identity.app == app
            and client in (None, candidate.identity.client)
            and candidate.wants(topic)
            and self._acl.may_read(candidate.identity, topic)
        )
        if not found:
            raise DeskbusError(NO_SUBSCRIBER, f"No client of {app} listens on {topic}.")
        return found

    def _direct_topic(self, app: str, name: str) -> Topic:
        """Counts directed messages apart, so that readers of the public topic see no gap."""
        key = (app, name)
        topic = self._direct.get(key)
        if topic is None:
            if len(self._direct) >= MAX_DIRECT_TOPICS:
                self._direct.pop(next(iter(self._direct)))
            topic = self._direct[key] = self.broker.new_topic(name)
        return topic

    @staticmethod
    def _lose_responder(question: _Question, client: BusClient) -> None:
        """The last one who could have answered has left: the asker need not wait."""
        if client in question.asked:
            question.asked.discard(client)
            if not question.asked and not question.settled.is_set():
                question.settle(DeskbusError(NO_SUBSCRIBER, "The app that was asked has left."))
