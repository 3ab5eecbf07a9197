"""The choice dialog: a person picks one of several, on the screen of whoever asks."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import structlog
from msgspec import UNSET, UnsetType

from deskbus.languages.language import Language
from deskbus.ui.shell import Shell
from deskbus_protocol.errors import TIMEOUT, DeskbusError
from deskbus_protocol.ui import (
    Choice,
    ChoiceAnswer,
    ChoiceDialog,
    CloseDialogParams,
    ShowChoiceParams,
)

ANSWER_MARGIN_S = 5.0
"""How much longer than the dialog's own time the shell has to send the answer."""

log = structlog.get_logger()


class Chosen(NamedTuple):
    """The id of what a person chose, and whether it is to be kept."""

    id: str
    remember: bool


class ChoiceScreen(Protocol):
    """A place where a choice is shown: the shell, or a page in a browser."""

    async def show(self, descriptor: ChoiceDialog, timeout_s: float) -> ChoiceAnswer:
        """Raises `DeskbusError`: unavailable where there is no screen, timeout."""

    def close(self, dialog: str) -> None:
        """Takes the choice away, since it is no longer wanted."""


class ShellScreen:
    """A window of the shell's own."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    @property
    def language(self) -> Language:
        return self._shell.language

    async def show(self, descriptor: ChoiceDialog, timeout_s: float) -> ChoiceAnswer:
        answer: ChoiceAnswer = await self._shell.call(
            "ui.showChoice",
            ShowChoiceParams(descriptor=descriptor),
            ChoiceAnswer,
            timeout_s=timeout_s,
        )
        return answer

    def close(self, dialog: str) -> None:
        self._shell.notify("ui.closeDialog", CloseDialogParams(dialog=dialog))


class ChoiceDialogs:
    """An answer counts with the dialog's own nonce, and only for what was offered."""

    def __init__(self, shell: Shell, *, timeout_s: float) -> None:
        self._shell = ShellScreen(shell)
        self._timeout_s = timeout_s

    @property
    def language(self) -> Language:
        """The language of the person who chooses."""
        return self._shell.language

    async def choose(
        self,
        app: str,
        title: str,
        statement: str,
        choices: Sequence[Choice],
        chosen: str | None = None,
        screen: ChoiceScreen | None = None,
        remember_label: str = "",
    ) -> Chosen | None:
        """Returns the choice; None where the person declined. The shell is the default screen.

        Texts are already escaped.


        Raises `DeskbusError`: unavailable without a screen, timeout where nobody chose in time.
        """
        shown_on = screen or self._shell
        descriptor = ChoiceDialog(
            dialog=secrets.token_hex(8),
            nonce=secrets.token_urlsafe(16),
            app=app,
            title=title,
            statement=statement,
            choices=list(choices),
            cancel_label=self.language.text("page.choice.cancel"),
            chosen=UNSET if chosen is None else chosen,
            remember_label=remember_label or UNSET,
            timeout=int(self._timeout_s * 1000),
        )
        answered = False
        try:
            answer = await shown_on.show(descriptor, self._timeout_s + ANSWER_MARGIN_S)
            answered = True
        finally:
            if not answered:
                shown_on.close(descriptor.dialog)
        if (answer.dialog, answer.nonce) != (descriptor.dialog, descriptor.nonce):
            log.error("choice.answer_does_not_match", app=app)
            return None
        if answer.timed_out:
            raise DeskbusError(TIMEOUT)
        if isinstance(answer.choice, UnsetType):
            return None
        offered = answer.choice in {each.id for each in descriptor.choices}
        if not offered:
            log.error("choice.answer_not_offered", app=app)
            return None
        return Chosen(answer.choice, answer.remember and remember_label != "")
