"""The choice dialog: a person picks one of several, in a window of the shell."""

import secrets
from collections.abc import Sequence

import structlog
from msgspec import UNSET, UnsetType

from deskbus.ui.shell import Shell
from deskbus_protocol.errors import TIMEOUT, DeskbusError
from deskbus_protocol.ui import (
    Choice,
    ChoiceAnswer,
    ChoiceDialog,
    CloseDialogParams,
    ShowChoiceParams,
)
from deskbus_protocol.wording.display import visible

ANSWER_MARGIN_S = 5.0
"""How much longer than the dialog's own time the shell has to send the answer."""

log = structlog.get_logger()


class ChoiceDialogs:
    """An answer counts with the dialog's own nonce, and only for what was offered."""

    def __init__(self, shell: Shell, *, timeout_s: float) -> None:
        self._shell = shell
        self._timeout_s = timeout_s

    async def choose(
        self,
        app: str,
        title: str,
        statement: str,
        choices: Sequence[Choice],
        chosen: str | None = None,
    ) -> str | None:
        """The id of the choice; None where the person wants none.

        Raises `DeskbusError`: unavailable without a shell, timeout where nobody chose in time.
        """
        descriptor = ChoiceDialog(
            dialog=secrets.token_hex(8),
            nonce=secrets.token_urlsafe(16),
            app=app,
            title=visible(title),
            statement=visible(statement),
            choices=list(choices),
            chosen=UNSET if chosen is None else chosen,
            timeout=int(self._timeout_s * 1000),
        )
        answered = False
        try:
            answer: ChoiceAnswer = await self._shell.call(
                "ui.showChoice",
                ShowChoiceParams(descriptor=descriptor),
                ChoiceAnswer,
                timeout_s=self._timeout_s + ANSWER_MARGIN_S,
            )
            answered = True
        finally:
            if not answered:
                closing = CloseDialogParams(dialog=descriptor.dialog)
                self._shell.notify("ui.closeDialog", closing)
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
        return answer.choice if offered else None
