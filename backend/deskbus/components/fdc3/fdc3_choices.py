"""Choices of FDC3 that a person makes: the app for an intent, and the channel of an app."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from msgspec import UNSET

from deskbus.fdc3.agent import AgentCore
from deskbus.fdc3.directory.icons import Icons
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.ports import Candidate
from deskbus.languages.permission_words import kind_words
from deskbus.ui.choice_dialogs import ChoiceDialogs, ChoiceScreen
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import NOT_FOUND, TIMEOUT, DeskbusError
from deskbus_protocol.fdc3 import choice_scope
from deskbus_protocol.permissions import Grant
from deskbus_protocol.ui import Choice
from deskbus_protocol.wording.display import visible

log = structlog.get_logger()

NO_CHANNEL = "none"
"""The id of the choice that takes an app off its channel."""


class PersonChooses:
    """The intent resolver: `Chooser`. `agent` is there once the backend is complete."""

    def __init__(
        self,
        dialogs: ChoiceDialogs,
        agent: Callable[[], AgentCore],
        screen_of: Callable[[ClientId], ChoiceScreen | None],
        remember: Callable[[str, Grant], Awaitable[None]],
        icons: Icons,
    ) -> None:
        """`remember` is called with the app that asked and the permission that follows from the
        choice.
        """
        self._remember = remember
        self._dialogs = dialogs
        self._agent = agent
        self._screen_of = screen_of
        self._icons = icons

    async def choose(
        self, asker: ClientId, candidates: Sequence[Candidate], context_type: str
    ) -> Candidate | None:
        agent = self._agent()
        records = (agent.directory.record(each.app_id) for each in candidates)
        icons = await self._icons.of(record for record in records if record is not None)
        choices = [
            self._describe(agent, number, each, icons) for number, each in enumerate(candidates)
        ]
        app_id = agent.directory.app_id_of(asker.app)
        language = self._dialogs.language
        try:
            chosen = await self._dialogs.choose(
                asker.app,
                language.text("choice.app.title"),
                language.text(
                    "choice.app.statement",
                    app=visible(_name(agent, app_id)),
                    data=kind_words(language, context_type),
                ),
                choices,
                screen=self._screen_of(asker),
                remember_label=language.text(
                    "choice.app.remember", data=kind_words(language, context_type)
                ),
            )
        except DeskbusError as error:
            late = error.kind is TIMEOUT
            raise DacpError("ResolverTimeout" if late else "ResolverUnavailable") from None
        if chosen is None:
            return None
        candidate = candidates[int(chosen.id)]
        if chosen.remember:
            scope = choice_scope(candidate.intent, candidate.app_id, context_type)
            try:
                await self._remember(asker.app, Grant("fdc3.choose", scope))
            except DeskbusError as error:
                # The intent goes on: the person is asked again the next time.
                log.warning("fdc3.choice_not_remembered", app=asker.app, reason=error.kind.name)
        return candidate

    def _describe(
        self, agent: AgentCore, number: int, candidate: Candidate, icons: Mapping[str, str]
    ) -> Choice:
        takers = agent.directory.takers(intent=candidate.intent)
        names = [taker.display_name for taker in takers if taker.app_id == candidate.app_id]
        instance = None if candidate.instance_id is None else candidate.instance_id
        known = None if instance is None else agent.instances.get(instance)
        language = self._dialogs.language
        where = (
            language.text("choice.app.new-window")
            if known is None
            else language.text("choice.app.window", window=visible(known.identity.client))
        )
        return Choice(
            id=str(number),
            label=visible(_name(agent, candidate.app_id)),
            detail=where,
            group=visible(names[0] if names else candidate.intent),
            running=known is not None,
            icon=icons.get(candidate.app_id, UNSET),
        )


async def choose_channel(
    agent: AgentCore, dialogs: ChoiceDialogs, identity: ClientId, screen: ChoiceScreen | None
) -> None:
    """Has a person choose the user channel of an app's window, and moves it there.

    Raises `DeskbusError`: not_found for a client that has no part in FDC3, unavailable, timeout.
    """
    instance = agent.instances.of(identity)
    if instance is None or not instance.connected:
        raise DeskbusError(NOT_FOUND, "This window does not use FDC3.")
    choices = [
        Choice(
            id=channel.id,
            label=channel.display.get("name", channel.id),
            colour=channel.display.get("color", UNSET),
        )
        for channel in agent.channels.user_channels()
    ]
    language = dialogs.language
    choices.append(Choice(id=NO_CHANNEL, label=language.text("choice.channel.none")))
    chosen = await dialogs.choose(
        identity.app,
        language.text("choice.channel.title"),
        language.text("choice.channel.statement", app=visible(_name(agent, instance.app_id))),
        choices,
        instance.channel or NO_CHANNEL,
        screen,
    )
    if chosen is not None and agent.instances.of(identity) is instance:
        agent.move(instance, None if chosen.id == NO_CHANNEL else chosen.id)


def _name(agent: AgentCore, app_id: str) -> str:
    record = agent.directory.record(app_id)
    if record is None:
        return app_id
    return record.title if isinstance(record.title, str) and record.title else record.name
