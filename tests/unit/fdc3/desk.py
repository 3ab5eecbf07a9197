"""A desk for tests: the agent with a bus, permissions and a launcher that do as they are told."""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from deskbus.fdc3.agent import AgentCore, AgentPorts
from deskbus.fdc3.dacp.service import Fdc3Service
from deskbus.fdc3.directory.app_directory import AppDirectory
from deskbus.fdc3.directory.app_record import AppRecord
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.ports import Candidate
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.fdc3 import METADATA_HEADER, Version
from deskbus_protocol.permissions import Grant
from deskbus_protocol.topics import covers, overlaps

INSTRUMENT = {"type": "fdc3.instrument", "id": {"ticker": "EURUSD"}}
CONTACT = {"type": "fdc3.contact", "name": "Jane"}

RECORDS: list[dict[str, Any]] = [
    {"appId": "blotter", "name": "Blotter", "type": "web", "title": "Blotter"},
    {
        "appId": "chart",
        "name": "Chart",
        "type": "web",
        "description": "Draws prices.",
        "interop": {
            "intents": {
                "listensFor": {
                    "ViewChart": {
                        "displayName": "View chart",
                        "contexts": ["fdc3.instrument"],
                        "resultType": "channel<fdc3.instrument>",
                    },
                    "ViewNews": {"contexts": ["fdc3.instrument", "fdc3.contact"]},
                }
            }
        },
    },
    {
        "appId": "News@example.com",
        "name": "News",
        "type": "web",
        "interop": {"intents": {"listensFor": {"ViewNews": {"contexts": ["fdc3.instrument"]}}}},
    },
]


class Desk:
    """Everybody may do everything, until `grants` says what else."""

    def __init__(
        self, records: Iterable[dict[str, Any]] = tuple(RECORDS), version: Version = "2.2"
    ) -> None:
        self.now_s = 0.0
        self.grants: dict[str, list[Grant]] | None = None
        self.asked: list[Grant] = []
        self.answer = False
        self.choice: Callable[[Sequence[Candidate]], Candidate | None] | None = None
        self.launched: list[ClientId] = []
        self.openers: list[ClientId] = []
        self.closed: list[ClientId] = []
        self.on_launch: Callable[[ClientId], Awaitable[None]] | None = None
        self.launch_error: DeskbusError | None = None
        self.inboxes: dict[str, list[dict[str, Any]]] = {}
        self.forgotten: list[str] = []
        self._ids = itertools.count(1)
        self.agent = AgentCore(
            AppDirectory(msgspec.convert(list(records), list[AppRecord])),
            AgentPorts(
                bus=self,
                access=self,
                launcher=self,
                chooser=self,
                clock_ms=lambda: 1_700_000_000_000 + int(self.now_s * 1000),
                now_s=lambda: self.now_s,
                new_id=lambda: f"id-{next(self._ids)}",
                new_trace=lambda: f"trace-{next(self._ids)}",
                delivered=lambda _: None,
            ),
            provider_version="0",
            version=version,
        )
        self.service = Fdc3Service(self.agent)

    def join(self, app: str, client: str = "window") -> "Page":
        return Page(self, ClientId(app, client))

    # ContextBus

    def open_inbox(self, identity: ClientId, inbox: str) -> None:
        self.inboxes.setdefault(inbox, [])

    def post(self, inbox: str, message: bytes) -> None:
        self.inboxes.setdefault(inbox, []).append(msgspec.json.decode(message))

    def publish(self, sender: ClientId, topic: str, context: Raw, trace_id: str, more: Raw) -> None:
        headers = {} if bytes(more) == b"null" else {METADATA_HEADER: bytes(more).decode()}
        self.deliver(sender, topic, msgspec.json.decode(context), trace_id, headers=headers)

    def deliver(
        self, sender: ClientId, topic: str, payload: object, trace_id: str = "t", **more: object
    ) -> None:
        """A message on a topic, from an app of this machine or another."""
        params = {
            "topic": topic,
            "sender": sender,
            "payload": payload,
            "timestamp": 1_700_000_000_000,
            "correlationId": trace_id,
            **more,
        }
        self.agent.take(msgspec.json.encode({"method": "bus.message", "params": params}))

    def forget(self, topic: str) -> None:
        self.forgotten.append(topic)

    # Access

    def may(self, identity: ClientId, wanted: Grant) -> bool:
        return self.grants is None or any(
            given.permission == wanted.permission and covers(given.scope, wanted.scope)
            for given in self.grants.get(identity.app, [])
        )

    def may_part(self, identity: ClientId, wanted: Grant) -> bool:
        return self.grants is None or any(
            given.permission == wanted.permission and overlaps(given.scope, wanted.scope)
            for given in self.grants.get(identity.app, [])
        )

    def can_have(self, identity: ClientId, permission: str) -> bool:
        return self.grants is None or any(
            given.permission == permission for given in self.grants.get(identity.app, [])
        )

    async def ask(self, identity: ClientId, wanted: Grant) -> bool:
        self.asked.append(wanted)
        if self.answer and self.grants is not None:
            self.grants.setdefault(identity.app, []).append(wanted)
        return self.answer

    # Launcher

    async def close(self, identity: ClientId) -> bool:
        self.closed.append(identity)
        return identity.client != "main"

    def has(self, app: str) -> bool:
        return True

    async def open(self, app: str, on_client: Callable[[ClientId], None], opener: ClientId) -> None:
        self.openers.append(opener)
        if self.launch_error is not None:
            raise self.launch_error
        client = ClientId(app, f"window-{len(self.launched)}")
        self.launched.append(client)
        on_client(client)
        if self.on_launch is not None:
            await self.on_launch(client)

    # Chooser

    async def choose(
        self, asker: ClientId, candidates: Sequence[Candidate], context_type: str
    ) -> Candidate | None:
        if self.choice is None:
            raise DacpError("ResolverUnavailable")
        return self.choice(candidates)


class Page:
    """A client that speaks DACP, as the messages that it sends and gets."""

    def __init__(self, desk: Desk, identity: ClientId) -> None:
        self.desk = desk
        self.identity = identity
        self.instance = desk.agent.connect(identity)
        self._requests = itertools.count(1)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.desk.inboxes[self.instance.inbox]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of the events that came."""
        return [each["payload"] for each in self.messages if each["type"] == kind]

    async def send(self, kind: str, **payload: object) -> str:
        """Sends a request; returns its id. A member `from` is written `from_`."""
        request = f"{self.identity.app}-{next(self._requests)}"
        message = {"type": kind, "meta": {"requestUuid": request}, "payload": payload}
        await self.desk.service.send(self.identity, Raw(msgspec.json.encode(message)))
        return request

    def answer_to(self, request: str, kind: str) -> dict[str, Any] | None:
        """The payload of the response to a request; None while there is none."""
        for each in self.messages:
            if each["meta"].get("requestUuid") == request and each["type"] == kind:
                payload: dict[str, Any] = each["payload"]
                return payload
        return None

    async def ask(self, method: str, **payload: object) -> dict[str, Any]:
        """The payload of the response to a request that is answered at once."""
        request = await self.send(f"{method}Request", **payload)
        answer = self.answer_to(request, f"{method}Response")
        assert answer is not None, f"{method} was not answered"
        return answer

    async def listen(self, intent: str) -> str:
        return str((await self.ask("addIntentListener", intent=intent))["listenerUUID"])

    async def hear(self, context_type: str | None = None, channel: str | None = None) -> str:
        answer = await self.ask("addContextListener", channelId=channel, contextType=context_type)
        return str(answer["listenerUUID"])


def unavailable() -> DeskbusError:
    return DeskbusError(UNAVAILABLE)
