"""The consent dialog: shown by the shell, believed only when the answer proves itself."""

import hashlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

import structlog
from msgspec import UNSET

from deskbus.ui.shell import Shell
from deskbus.ui.wording import describe, visible
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant
from deskbus_protocol.rpc import encode
from deskbus_protocol.ui import (
    ALLOW_DELAY_MS,
    AppIdentity,
    CloseDialogParams,
    DialogAnswer,
    PermissionDialog,
    ShowDialogParams,
)

ANSWER_MARGIN_S = 5.0
"""How much longer than the dialog's own time the shell has to send the answer."""

log = structlog.get_logger()


class Outcome(NamedTuple):
    allowed: bool
    remember: bool


DENIED = Outcome(allowed=False, remember=False)


class ConsentDialogs:
    """Shows a permission dialog and judges its answer.

    Allow counts only from the shell link, with the dialog's own nonce and the hash of the
    descriptor that was shown, and not before the dialog was in view for `ALLOW_DELAY_MS`.
    No shell, no answer, a closed window or a wrong answer: denied, and not remembered.
    """

    def __init__(self, shell: Shell, *, timeout_s: float, monotonic_s: Callable[[], float]) -> None:
        self._shell = shell
        self._timeout_s = timeout_s
        self._monotonic_s = monotonic_s
        self._shown_at: dict[str, float] = {}
        self._open: set[str] = set()

    def shown(self, dialog: str) -> None:
        """The shell says that a dialog came into view."""
        if dialog in self._open:
            self._shown_at.setdefault(dialog, self._monotonic_s())

    async def ask(self, app: AppIdentity, grant: Grant, reason: str | None) -> Outcome:
        descriptor = self._describe(app, grant, reason)
        digest = hashlib.sha256(encode(descriptor)).hexdigest()
        dialog = descriptor.dialog
        self._open.add(dialog)
        answered = False
        try:
            answer: DialogAnswer = await self._shell.call(
                "ui.showDialog",
                ShowDialogParams(descriptor=descriptor, descriptor_hash=digest),
                DialogAnswer,
                timeout_s=self._timeout_s + ANSWER_MARGIN_S,
            )
            answered = True
            return self._judge(descriptor, digest, answer)
        except DeskbusError as error:
            log.warning("consent.no_answer", app=app.app, reason=error.kind.name)
            return DENIED
        finally:
            self._open.discard(dialog)
            self._shown_at.pop(dialog, None)
            if not answered:
                self._shell.notify("ui.closeDialog", CloseDialogParams(dialog=dialog))

    def _judge(self, asked: PermissionDialog, digest: str, answer: DialogAnswer) -> Outcome:
        proof = (answer.dialog, answer.nonce, answer.descriptor_hash)
        if proof != (asked.dialog, asked.nonce, digest):
            log.error("consent.answer_does_not_match", app=asked.identity.app)
            return DENIED
        if answer.choice == "dismissed":
            return DENIED
        if answer.choice == "deny":
            return Outcome(allowed=False, remember=answer.remember)
        shown_at = self._shown_at.get(asked.dialog)
        if shown_at is None or (self._monotonic_s() - shown_at) * 1000 < ALLOW_DELAY_MS:
            log.error("consent.allowed_too_early", app=asked.identity.app)
            return DENIED
        return Outcome(allowed=True, remember=answer.remember)

    def _describe(self, app: AppIdentity, grant: Grant, reason: str | None) -> PermissionDialog:
        name = visible(app.name)
        words = describe(name, grant)
        return PermissionDialog(
            dialog=secrets.token_hex(8),
            nonce=secrets.token_urlsafe(16),
            identity=AppIdentity(app=app.app, name=name, publisher=visible(app.publisher)),
            permission=grant.permission,
            scope=visible(grant.scope),
            statement=words.statement,
            detail=words.detail,
            risk=words.risk,
            reason=visible(reason) if reason else UNSET,
            timeout=int(self._timeout_s * 1000),
        )
