"""The table of DACP's requests: what each has in it, what it needs, and what answers it."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from deskbus.fdc3.agent import AgentCore
from deskbus.fdc3.dacp import apps, channels, intents, messages
from deskbus.fdc3.dacp.messages import Payload
from deskbus.fdc3.errors import ErrorText
from deskbus.fdc3.state.instances import Instance
from deskbus_protocol.permissions import Grant

Needs = Callable[[AgentCore, Instance, Any], Grant | None]
Answers = Callable[[AgentCore, Instance, Any], dict[str, Any]]
Follows = Callable[[AgentCore, Instance, Any], None]
AnswersLater = Callable[
    [AgentCore, Instance, Any, str, intents.Accepted], Awaitable[dict[str, Any]]
]


class Row(NamedTuple):
    """`denied` is answered where a permission is refused.

    Exactly one of `answers` and `later` answers; `follows` runs once the answer is sent.
    """

    payload: type[Payload]
    answers: Answers | None = None
    later: AnswersLater | None = None
    needs: Needs | None = None
    denied: ErrorText = "AccessDenied"
    follows: Follows | None = None


NEWER_REQUESTS: dict[str, Row] = {
    "clearContextRequest": Row(
        messages.ClearContextPayload, channels.clear_context, needs=channels.to_clear
    ),
    "closeRequest": Row(messages.NoPayload, later=apps.close),
}
"""The requests that FDC3 3.0 adds."""

REQUESTS: dict[str, Row] = {
    "addContextListenerRequest": Row(
        messages.ContextListenerPayload,
        channels.add_context_listener,
        needs=channels.to_listen,
        follows=channels.listens_now,
    ),
    "addEventListenerRequest": Row(messages.EventListenerPayload, channels.add_event_listener),
    "addIntentListenerRequest": Row(
        messages.IntentListenerPayload,
        intents.add_intent_listener,
        needs=intents.to_handle,
        follows=intents.hears_now,
    ),
    "broadcastRequest": Row(
        messages.BroadcastPayload, channels.broadcast, needs=channels.to_broadcast
    ),
    "contextListenerUnsubscribeRequest": Row(
        messages.UnsubscribePayload, channels.remove_context_listener
    ),
    "createPrivateChannelRequest": Row(messages.NoPayload, channels.create_private_channel),
    "eventListenerUnsubscribeRequest": Row(
        messages.UnsubscribePayload, channels.remove_event_listener
    ),
    "findInstancesRequest": Row(messages.AppPayload, apps.find_instances),
    "findIntentRequest": Row(messages.FindIntentPayload, intents.find_intent),
    "findIntentsByContextRequest": Row(
        messages.FindByContextPayload, intents.find_intents_by_context
    ),
    "getAppMetadataRequest": Row(messages.AppPayload, apps.get_app_metadata),
    "getCurrentChannelRequest": Row(messages.NoPayload, channels.get_current_channel),
    "getCurrentContextRequest": Row(
        messages.CurrentContextPayload, channels.get_current_context, needs=channels.to_look
    ),
    "getInfoRequest": Row(messages.NoPayload, apps.get_info),
    "getOrCreateChannelRequest": Row(messages.ChannelPayload, channels.get_or_create_channel),
    "getUserChannelsRequest": Row(messages.NoPayload, channels.get_user_channels),
    "intentListenerUnsubscribeRequest": Row(
        messages.UnsubscribePayload, intents.remove_intent_listener
    ),
    "intentResultRequest": Row(messages.IntentResultPayload, intents.intent_result),
    "joinUserChannelRequest": Row(
        messages.ChannelPayload, channels.join_user_channel, needs=channels.to_join
    ),
    "leaveCurrentChannelRequest": Row(messages.NoPayload, channels.leave_current_channel),
    "openRequest": Row(
        messages.OpenPayload, later=apps.open_app, needs=apps.to_open, denied="ErrorOnLaunch"
    ),
    "privateChannelAddEventListenerRequest": Row(
        messages.PrivateListenerPayload, channels.add_private_listener
    ),
    "privateChannelDisconnectRequest": Row(
        messages.ChannelPayload, channels.disconnect_private_channel
    ),
    "privateChannelUnsubscribeEventListenerRequest": Row(
        messages.UnsubscribePayload, channels.remove_event_listener
    ),
    "raiseIntentForContextRequest": Row(
        messages.RaiseForContextPayload,
        later=intents.raise_intent_for_context,
        needs=intents.to_raise_for_context,
        denied="NoAppsFound",
    ),
    "raiseIntentRequest": Row(
        messages.RaiseIntentPayload,
        later=intents.raise_intent,
        needs=intents.to_raise,
        denied="NoAppsFound",
    ),
}
"""Every request of FDC3 2.2's DACP but `heartbeatAcknowledgementRequest`, which has no answer."""
