"""Fdc3Service: takes requests of DACP, one after the other, and answers them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import msgspec
import structlog
from msgspec import Raw

from deskbus.fdc3.agent import AgentCore
from deskbus.fdc3.dacp.messages import Payload, Request, context_in, response_type
from deskbus.fdc3.dacp.table import NEWER_REQUESTS, REQUESTS, AnswersLater, Row
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.overview import Overview
from deskbus.fdc3.state.instances import Instance
from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    CONFLICT,
    INVALID_PARAMS,
    OVERLOADED,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.fdc3 import Fdc3TraceEntry
from deskbus_protocol.permissions import Grant

MAX_AT_ONCE = 64
"""Launches and raised intents of one instance that are under way."""

HEARTBEAT = "heartbeatAcknowledgementRequest"
GOODBYE = "WCP6Goodbye"

log = structlog.get_logger()


class Fdc3Service:
    def __init__(self, agent: AgentCore) -> None:
        self.agent = agent
        self.overview = Overview(agent)
        self._tasks = BackgroundTasks()
        self._under_way: dict[str, int] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Launches that are under way at its end are given up."""
        async with self._tasks.running():
            yield

    def disconnect(self, identity: ClientId) -> None:
        """Ends a client whose page is gone; its identity stays for the page that follows."""
        instance = self.agent.instances.of(identity)
        if instance is not None:
            self.agent.page_ended(instance)

    async def send(self, identity: ClientId, message: Raw) -> None:
        """Takes a request; returns when nobody has to be asked for it any more.

        Raises `DeskbusError`: invalid_params for what is no request, conflict before `connect`.
        """
        instance = self._connected(identity)
        try:
            request = msgspec.json.decode(message, type=Request)
        except msgspec.MsgspecError:
            raise DeskbusError(
                INVALID_PARAMS,
                "This is no request of the FDC3 2.2 DACP.",
                action="Send an object with type, meta.requestUuid and payload.",
            ) from None
        instance.heard_s = self.agent.around.now_s()
        if request.type == HEARTBEAT:
            return
        if request.type == GOODBYE:
            self.agent.page_ended(instance)
            return
        row = REQUESTS.get(request.type)
        if row is None and self.agent.version == "3.0":
            row = NEWER_REQUESTS.get(request.type)
        if row is None or not request.meta.request_uuid:
            raise DeskbusError(
                INVALID_PARAMS,
                "There is no such request in the FDC3 2.2 DACP.",
                action="docs/fdc3.md lists the requests.",
            )
        try:
            await self._answer(instance, row, request)
        except DacpError as error:
            self._fail(instance, request, error)

    async def _answer(self, instance: Instance, row: Row, request: Request) -> None:
        payload = _read(row, request.payload)
        wanted = None if row.needs is None else row.needs(self.agent, instance, payload)
        access = self.agent.around.access
        has = wanted is None or access.may(instance.identity, wanted)
        if wanted is not None and not (has or await access.ask(instance.identity, wanted)):
            self._refused(instance, request, wanted)
            raise DacpError(row.denied)
        if row.answers is not None:
            answer = row.answers(self.agent, instance, payload)
            self._respond(instance, request, answer)
            if row.follows is not None:
                row.follows(self.agent, instance, payload)
        elif row.later is not None:
            await self._begin(instance, request, row.later, payload)

    async def _begin(
        self, instance: Instance, request: Request, later: AnswersLater, payload: Payload
    ) -> None:
        under_way = self._under_way.get(instance.id, 0)
        if not self._tasks.running_now:
            raise DeskbusError(UNAVAILABLE)
        if under_way >= MAX_AT_ONCE:
            raise DeskbusError(OVERLOADED, "Too many launches and intents are under way.")
        self._under_way[instance.id] = under_way + 1
        accepted = anyio.Event()
        self._tasks.start(partial(self._run_later, instance, request, later, payload, accepted))
        await accepted.wait()

    async def _run_later(
        self,
        instance: Instance,
        request: Request,
        later: AnswersLater,
        payload: Payload,
        accepted: anyio.Event,
    ) -> None:
        try:
            uuid = request.meta.request_uuid
            answer = await later(self.agent, instance, payload, uuid, accepted.set)
            self._respond(instance, request, answer)
        except DacpError as error:
            self._fail(instance, request, error)
        except DeskbusError as error:
            log.warning("fdc3.not_answered", type=request.type, reason=error.kind.name)
            self._fail(instance, request, DacpError("ApiTimeout"))
        except Exception:  # whatever it is, it ends this request, and no other
            log.exception("fdc3.request_failed", type=request.type)
            self._fail(instance, request, DacpError("ApiTimeout"))
        finally:
            accepted.set()
            self._under_way[instance.id] -= 1
            if not self._under_way[instance.id]:
                del self._under_way[instance.id]

    def _respond(self, instance: Instance, request: Request, payload: dict[str, Any]) -> None:
        kind = response_type(request.type)
        self.agent.respond(instance, kind, request.meta.request_uuid, payload)

    def _fail(self, instance: Instance, request: Request, error: DacpError) -> None:
        self._respond(instance, request, {"error": error.text})

    def _refused(self, instance: Instance, request: Request, wanted: Grant) -> None:
        self.agent.trace.add(
            Fdc3TraceEntry(
                timestamp=self.agent.around.clock_ms(),
                trace_id=self.agent.around.new_trace(),
                kind="refused",
                source=instance.identity,
                to=[],
                detail=f"{request.type}: {wanted.permission} {wanted.scope}",
            )
        )

    def _connected(self, identity: ClientId) -> Instance:
        instance = self.agent.instances.of(identity)
        if instance is None or not instance.connected:
            raise DeskbusError(
                CONFLICT, "This client has not begun with FDC3.", action="Call fdc3.connect first."
            )
        return instance


def _read(row: Row, raw: Raw) -> Payload:
    """Raises `DacpError`: InvalidArguments, MalformedContext."""
    try:
        payload = msgspec.json.decode(raw, type=row.payload)
    except msgspec.MsgspecError as error:
        # A context is the one member that has an error of its own.
        is_context = "missing required field `context`" in str(error)
        raise DacpError("MalformedContext" if is_context else "InvalidArguments") from None
    context_in(payload)
    return payload
