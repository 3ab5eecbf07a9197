"""Requests about intents."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec import Raw, UnsetType

from deskbus.fdc3.agent import AgentCore, app_trace_id
from deskbus.fdc3.dacp.channels import room_for_listener
from deskbus.fdc3.dacp.launches import ListenerWait, opened
from deskbus.fdc3.dacp.messages import (
    ABSENT,
    FindByContextPayload,
    FindIntentPayload,
    IntentListenerPayload,
    IntentResultPayload,
    RaiseForContextPayload,
    RaiseIntentPayload,
    UnsubscribePayload,
)
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.ports import Candidate
from deskbus.fdc3.state.channels import KeptContext
from deskbus.fdc3.state.deliveries import IntentDelivery, OwedResult
from deskbus.fdc3.state.instances import Instance
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.fdc3 import (
    AppIdentifier,
    Fdc3TraceEntry,
    choice_scope,
    context_type_of,
    intent_scope,
)
from deskbus_protocol.permissions import Grant

RAISE = "fdc3.raise"
HANDLE = "fdc3.handle"
CHOOSE = "fdc3.choose"

Accepted = Callable[[], None]
"""Called once nobody has to be asked any more, and only the agent's own work is left."""


class Raised(NamedTuple):
    """An intent that was raised, on its way to whoever takes it."""

    intents: tuple[str, ...]
    context: Raw
    context_type: str
    trace_id: str
    request_uuid: str
    more: Raw
    """Metadata of the app's own (FDC3 3.0), as JSON."""


def to_raise(_: AgentCore, __: Instance, payload: RaiseIntentPayload) -> Grant | None:
    return Grant(RAISE, intent_scope(payload.intent, context_type_of(payload.context)))


def to_raise_for_context(
    agent: AgentCore, instance: Instance, payload: RaiseForContextPayload
) -> Grant | None:
    """Any intent will do; the one that is chosen is looked at again."""
    wanted = Grant(RAISE, intent_scope(None, context_type_of(payload.context)))
    return None if agent.around.access.may_part(instance.identity, wanted) else wanted


def to_handle(agent: AgentCore, instance: Instance, payload: IntentListenerPayload) -> Grant | None:
    wanted = Grant(HANDLE, intent_scope(payload.intent, None))
    return None if agent.around.access.may_part(instance.identity, wanted) else wanted


# Finding.


def find_intent(agent: AgentCore, _: Instance, payload: FindIntentPayload) -> dict[str, Any]:
    takers = agent.directory.takers(
        intent=payload.intent,
        context=context_type_of(payload.context),
        result=payload.result_type,
    )
    apps = [agent.metadata(taker.app_id, None) for taker in takers]
    apps += [
        agent.metadata(instance.app_id, instance.id)
        for instance in agent.instances
        if instance.hears_intent(payload.intent)
    ]
    if not apps:
        raise DacpError("NoAppsFound")
    display = takers[0].display_name if takers else payload.intent
    return {"appIntent": {"intent": {"name": payload.intent, "displayName": display}, "apps": apps}}


def find_intents_by_context(
    agent: AgentCore, _: Instance, payload: FindByContextPayload
) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    takers = agent.directory.takers(
        context=context_type_of(payload.context), result=payload.result_type
    )
    for taker in takers:
        intent = {"name": taker.intent, "displayName": taker.display_name}
        entry = found.setdefault(taker.intent, {"intent": intent, "apps": []})
        entry["apps"].append(agent.metadata(taker.app_id, None))
        entry["apps"] += [
            agent.metadata(instance.app_id, instance.id)
            for instance in agent.instances.of_app(taker.app_id)
            if instance.connected
        ]
    if not found:
        raise DacpError("NoAppsFound")
    return {"appIntents": list(found.values())}


# Listening.


def add_intent_listener(
    agent: AgentCore, instance: Instance, payload: IntentListenerPayload
) -> dict[str, Any]:
    room_for_listener(instance)
    wanted = payload.listener
    if agent.version == "3.0" and any(map(wanted.conflicts, instance.intents.values())):
        raise DacpError("IntentListenerConflict")
    listener = agent.around.new_id()
    instance.intents[listener] = wanted
    return {"listenerUUID": listener}


def hears_now(agent: AgentCore, instance: Instance, payload: IntentListenerPayload) -> None:
    """The app knows its listener by now: what was raised for it can come."""
    agent.deliveries.intent_listener_came(instance.id, payload.listener.takes)


def remove_intent_listener(
    _: AgentCore, instance: Instance, payload: UnsubscribePayload
) -> dict[str, Any]:
    if instance.intents.pop(payload.listener_uuid, None) is None:
        raise DacpError("InvalidArguments")
    return {}


# Raising.


async def raise_intent(
    agent: AgentCore,
    raiser: Instance,
    payload: RaiseIntentPayload,
    request_uuid: str,
    accepted: Accepted,
) -> dict[str, Any]:
    raised = _raised(agent, (payload.intent,), payload, request_uuid)
    target = await _resolve(agent, raiser, raised, payload.app)
    accepted()
    return await _bring(agent, raiser, raised, target)


async def raise_intent_for_context(
    agent: AgentCore,
    raiser: Instance,
    payload: RaiseForContextPayload,
    request_uuid: str,
    accepted: Accepted,
) -> dict[str, Any]:
    context_type = context_type_of(payload.context)
    takers = agent.directory.takers(context=context_type)
    access = agent.around.access
    intents = tuple(
        intent
        for intent in dict.fromkeys(taker.intent for taker in takers)
        if access.may_part(raiser.identity, Grant(RAISE, intent_scope(intent, context_type)))
    )
    if not intents:
        raise DacpError("NoAppsFound")
    raised = _raised(agent, intents, payload, request_uuid)
    target = await _resolve(agent, raiser, raised, payload.app)
    accepted()
    return await _bring(agent, raiser, raised, target)


def _raised(
    agent: AgentCore,
    intents: tuple[str, ...],
    payload: RaiseForContextPayload,
    request_uuid: str,
) -> Raised:
    context_type = context_type_of(payload.context)
    if context_type is None:
        raise DacpError("MalformedContext")
    trace_id = agent.around.new_trace()
    more = agent.own_metadata(payload.metadata)
    return Raised(intents, payload.context, context_type, trace_id, request_uuid, more)


async def _resolve(
    agent: AgentCore, raiser: Instance, raised: Raised, wanted: AppIdentifier | None
) -> Candidate:
    """The candidate that takes it; a person chooses where several could. Raises `DacpError`."""
    if wanted is not None and wanted.instance_id:
        return _to_instance(agent, raised, wanted.app_id, wanted.instance_id)
    if wanted is not None:
        found = _to_app(agent, raised, wanted.app_id)
    else:
        found = candidates(agent, raised.intents, raised.context_type)
        if not found:
            raise DacpError("NoAppsFound")
        found = _remembered(agent, raiser, found, raised.context_type)
        running = [each for each in found if each.instance_id is not None]
        if len(_ways(found)) == 1 and len(running) <= 1:
            return (running or found)[0]
    if len(found) == 1:
        return found[0]
    chosen = await agent.around.chooser.choose(raiser.identity, found, raised.context_type)
    if chosen is None:
        raise DacpError("UserCancelledResolution")
    return chosen


def _ways(found: Sequence[Candidate]) -> set[tuple[str, str]]:
    return {(each.intent, each.app_id) for each in found}


def _remembered(
    agent: AgentCore, raiser: Instance, found: list[Candidate], context_type: str
) -> list[Candidate]:
    """The candidates of the one app that a person, or a policy, has chosen; else all of them."""
    chosen = [
        each
        for each in found
        if agent.around.access.may(
            raiser.identity, Grant(CHOOSE, choice_scope(each.intent, each.app_id, context_type))
        )
    ]
    return chosen if len(_ways(chosen)) == 1 else found


def candidates(agent: AgentCore, intents: Sequence[str], context_type: str) -> list[Candidate]:
    """New instances and running ones that may take one of the intents with such a context."""
    found: list[Candidate] = []
    for intent in intents:
        scope = Grant(HANDLE, intent_scope(intent, context_type))
        takers = agent.directory.takers(intent=intent, context=context_type)
        app_ids = [taker.app_id for taker in takers]
        for instance in agent.instances:
            # An app that says in the directory what it takes is not asked for anything else.
            fits = instance.app_id in app_ids or (
                instance.hears_intent(intent, context_type)
                and not agent.directory.takes_any(instance.app_id)
            )
            if fits and instance.connected and _may_take(agent, instance, scope):
                found.append(Candidate(intent, instance.app_id, instance.id))
        found += [
            Candidate(intent, app_id) for app_id in app_ids if _may_open_for(agent, app_id, scope)
        ]
    return found


def _may_take(agent: AgentCore, instance: Instance, wanted: Grant) -> bool:
    access = agent.around.access
    allowed = access.may(instance.identity, wanted) or (
        # Nobody was asked yet, as it has not begun to listen.
        not instance.intents and access.can_have(instance.identity, HANDLE)
    )
    return allowed and agent.answers(instance)


def _may_open_for(agent: AgentCore, app_id: str, wanted: Grant) -> bool:
    app = agent.directory.app_of(app_id)
    if app is None or not agent.around.launcher.has(app):
        return False
    nobody_yet = ClientId(app, "")
    access = agent.around.access
    return access.may(nobody_yet, wanted) or access.can_have(nobody_yet, HANDLE)


def _to_instance(agent: AgentCore, raised: Raised, app_id: str, instance_id: str) -> Candidate:
    instance = agent.instances.get(instance_id)
    if instance is None or instance.app_id != app_id or not agent.answers(instance):
        raise DacpError("TargetInstanceUnavailable")
    declared = {
        taker.intent
        for taker in agent.directory.takers(context=raised.context_type)
        if taker.app_id == app_id
    }
    heard = {each for each in raised.intents if instance.hears_intent(each, raised.context_type)}
    for takes in (heard.__contains__, declared.__contains__):
        for intent in raised.intents:
            scope = Grant(HANDLE, intent_scope(intent, raised.context_type))
            if takes(intent) and _may_take(agent, instance, scope):
                return Candidate(intent, app_id, instance_id)
    raise DacpError("NoAppsFound")


def _to_app(agent: AgentCore, raised: Raised, app_id: str) -> list[Candidate]:
    """A new instance, for that is what is meant without one; a native program's own, if it runs."""
    record = agent.directory.record(app_id)
    if record is None:
        raise DacpError("TargetAppUnavailable")
    found = [
        taker
        for intent in raised.intents
        for taker in agent.directory.takers(intent=intent, context=raised.context_type)
    ]
    if not found:
        raise DacpError("NoAppsFound")
    own = [taker for taker in found if taker.app_id == record.app_id]
    if not own:
        raise DacpError("IntentDeliveryFailed")
    allowed = [
        Candidate(taker.intent, taker.app_id)
        for taker in own
        if _may_open_for(
            agent, taker.app_id, Grant(HANDLE, intent_scope(taker.intent, raised.context_type))
        )
    ]
    if not allowed:
        raise DacpError("TargetAppUnavailable")
    return allowed


async def _bring(
    agent: AgentCore, raiser: Instance, raised: Raised, target: Candidate
) -> dict[str, Any]:
    """Raises `DacpError`: IntentDeliveryFailed, TargetInstanceUnavailable, NoAppsFound."""
    wanted = Grant(RAISE, intent_scope(target.intent, raised.context_type))
    access = agent.around.access
    # Of several intents none was asked for by its name.
    chosen = len(raised.intents) > 1 and not access.may(raiser.identity, wanted)
    if chosen and not await access.ask(raiser.identity, wanted):
        raise DacpError("NoAppsFound")
    with ListenerWait(agent, IntentDelivery(target.intent, raised.context_type)) as wait:
        taker = await _taker(agent, raiser, target, wait)
        heard = taker.hears_intent(target.intent, raised.context_type)
        if not heard and not await wait.come():
            raise DacpError("IntentDeliveryFailed")
    scope = Grant(HANDLE, intent_scope(target.intent, raised.context_type))
    if not agent.around.access.may(taker.identity, scope):
        raise DacpError("IntentDeliveryFailed")
    _deliver(agent, raiser, raised, target.intent, taker)
    return {"intentResolution": {"intent": target.intent, "source": taker.name}}


async def _taker(
    agent: AgentCore, raiser: Instance, target: Candidate, wait: ListenerWait
) -> Instance:
    """The instance that takes it, opened if need be."""
    if target.instance_id is not None:
        found = agent.instances.get(target.instance_id)
        if found is None:
            raise DacpError("TargetInstanceUnavailable")
        wait.begins(found)
        return found
    app = agent.directory.app_of(target.app_id)
    if app is None:
        raise DacpError("TargetAppUnavailable")
    try:
        return await opened(agent, app, wait.begins, raiser)
    except DeskbusError:
        raise DacpError("IntentDeliveryFailed") from None


def _deliver(
    agent: AgentCore, raiser: Instance, raised: Raised, intent: str, taker: Instance
) -> None:
    key = agent.around.new_id()
    agent.deliveries.owe(
        key, OwedResult(raiser.id, raised.request_uuid, taker.id, intent, raised.trace_id)
    )
    now_ms = agent.around.clock_ms()
    kept = KeptContext(raised.context, raiser.identity, now_ms, raised.trace_id, raised.more)
    agent.tell(
        taker,
        "intentEvent",
        {
            "intent": intent,
            "context": raised.context,
            "raiseIntentRequestUuid": key,
            **agent.provenance(kept),
        },
    )
    agent.delivered(
        Fdc3TraceEntry(
            timestamp=now_ms,
            trace_id=raised.trace_id,
            kind="intent",
            source=raiser.identity,
            to=[taker.identity],
            context_type=raised.context_type,
            intent=intent,
            app_trace_id=app_trace_id(raised.more),
        )
    )


def intent_result(
    agent: AgentCore, handler: Instance, payload: IntentResultPayload
) -> dict[str, Any]:
    more = agent.own_metadata(payload.metadata)
    owed = agent.deliveries.paid(payload.raise_intent_request_uuid, handler.id)
    if owed is None:
        raise DacpError("InvalidArguments")
    if not isinstance(payload.error, UnsetType):
        agent.answer_raiser(owed, {"error": payload.error})
        return {}
    result: dict[str, Any] = {}
    given = payload.intent_result
    if given.channel is not None:
        channel = agent.channel(handler, given.channel.id)
        if channel.type == "private":
            channel.members.add(owed.raiser)
        result = {"channel": channel.describe()}
    elif given.context != ABSENT:
        result = {"context": given.context}
    answer: dict[str, Any] = {"intentResult": result}
    if agent.version == "3.0":
        now_ms = agent.around.clock_ms()
        kept = KeptContext(ABSENT, handler.identity, now_ms, owed.trace_id, more)
        answer["resultMetadata"] = agent.context_metadata(handler.name, kept)
    agent.answer_raiser(owed, answer)
    return {}
