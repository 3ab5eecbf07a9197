"""The consent dialog: shown by the shell, believed only when the answer proves itself."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Literal, NamedTuple

import anyio
import structlog
from msgspec import UNSET, UnsetType

from deskbus.languages.language import Language
from deskbus.languages.permission_words import (
    REMEMBER,
    hold_words,
    is_everything,
    permission_detail,
    permission_statement,
    scope_words,
)
from deskbus.ui.shell import Shell
from deskbus_protocol.errors import TIMEOUT, DeskbusError
from deskbus_protocol.method import TraceContext
from deskbus_protocol.permissions import PermissionEntry
from deskbus_protocol.ui import (
    ALLOW_DELAY_MS,
    AppIdentity,
    CloseDialogParams,
    DialogAnswer,
    PermissionDialog,
    Remember,
    RememberChoice,
    ShowDialogParams,
)
from deskbus_protocol.wire.rpc import encode
from deskbus_protocol.wording.display import visible

ANSWER_MARGIN_S = 5.0
"""How much longer than the dialog's own time the shell has to send the answer."""

REST_S = 1.5
"""Pause after a dialog that went away by itself, so that a click meant for it misses the next."""

PASSING: tuple[Remember, ...] = ("once", "session")
"""For how long an answer can hold where an administrator wants a person asked each time."""

Choice = Literal["allow", "deny", "dismissed", "timeout", "failed"]

FIRST_CHOICE: Remember = "session"
"""Picked at first: gone with the app's run, and no question at each click until then."""

log = structlog.get_logger()


class Asked(NamedTuple):
    """The subject of a dialog; its publisher and origin are already escaped.

    `may_remember` says whether the answer may outlast the app's run.

    `prompt` is the dialog's id, under which the audit log has it, `trace` the context of its call.
    """

    identity: AppIdentity
    entry: PermissionEntry
    scope: str
    reason: str | None
    may_remember: bool
    prompt: str = ""
    trace: TraceContext | UnsetType = UNSET


class DialogOutcome(NamedTuple):
    """The outcome of a dialog. Anything but `allow` denies; `failed` is no person's answer."""

    dialog: str
    choice: Choice
    remember: Remember = "once"


class ConsentDialogs:
    """Shows a permission dialog and judges its answer.

    Allow counts only from the shell link, with the dialog's own nonce and the hash of the
    descriptor that was shown, and not before the dialog was in view, unchanged, for
    `ALLOW_DELAY_MS`. No shell, no answer or a wrong answer: failed, and nothing is remembered.
    """

    def __init__(self, shell: Shell, *, timeout_s: float, monotonic_s: Callable[[], float]) -> None:
        self._shell = shell
        self._timeout_s = timeout_s
        self._monotonic_s = monotonic_s
        self._shown_at: dict[str, float] = {}
        self._open: set[str] = set()
        self._rest_until_s = 0.0

    @property
    def timeout_ms(self) -> int:
        """The time that a dialog waits for a person."""
        return int(self._timeout_s * 1000)

    def shown(self, dialog: str) -> None:
        """Notes that a dialog came into view, or changed there, as the shell reports."""
        if dialog in self._open:
            self._shown_at[dialog] = self._monotonic_s()

    async def ask(self, asked: Asked) -> DialogOutcome:
        return await self.put(self._describe(asked), asked.trace)

    async def put(
        self, descriptor: PermissionDialog, trace: TraceContext | UnsetType = UNSET
    ) -> DialogOutcome:
        """Shows a dialog from its finished descriptor, under the same rules."""
        rest_s = self._rest_until_s - self._monotonic_s()
        if rest_s > 0:
            await anyio.sleep(rest_s)
        digest = hashlib.sha256(encode(descriptor)).hexdigest()
        dialog = descriptor.dialog
        self._open.add(dialog)
        answered = False
        try:
            answer: DialogAnswer = await self._shell.call(
                "ui.showDialog",
                ShowDialogParams(descriptor=descriptor, descriptor_hash=digest, meta=trace),
                DialogAnswer,
                timeout_s=self._timeout_s + ANSWER_MARGIN_S,
            )
            answered = True
            return self._judge(descriptor, digest, answer)
        except DeskbusError as error:
            log.warning("consent.no_answer", app=descriptor.identity.app, reason=error.kind.name)
            silent = error.kind is TIMEOUT and dialog in self._shown_at
            return DialogOutcome(dialog, "timeout" if silent else "failed")
        finally:
            self._open.discard(dialog)
            self._shown_at.pop(dialog, None)
            if not answered:
                self._rest_until_s = self._monotonic_s() + REST_S
                self._shell.notify("ui.closeDialog", CloseDialogParams(dialog=dialog))

    def _judge(self, asked: PermissionDialog, digest: str, answer: DialogAnswer) -> DialogOutcome:
        failed = DialogOutcome(asked.dialog, "failed")
        proof = (answer.dialog, answer.nonce, answer.descriptor_hash)
        if proof != (asked.dialog, asked.nonce, digest):
            log.error("consent.answer_does_not_match", app=asked.identity.app)
            return failed
        if answer.remember not in {choice.id for choice in asked.choices}:
            log.error("consent.answer_not_offered", app=asked.identity.app)
            return failed
        shown_at = self._shown_at.get(asked.dialog)
        if answer.choice != "allow":
            # A dialog that nobody has seen is not one that a person left unanswered.
            seen = shown_at is not None or answer.choice == "deny"
            return DialogOutcome(asked.dialog, answer.choice, answer.remember) if seen else failed
        if shown_at is None or (self._monotonic_s() - shown_at) * 1000 < ALLOW_DELAY_MS:
            log.error("consent.allowed_too_early", app=asked.identity.app)
            return failed
        return DialogOutcome(asked.dialog, "allow", answer.remember)

    def _describe(self, asked: Asked) -> PermissionDialog:
        who = asked.identity
        name = visible(who.name)
        language = self._shell.language
        entry = asked.entry
        return PermissionDialog(
            dialog=asked.prompt or secrets.token_hex(8),
            nonce=secrets.token_urlsafe(16),
            identity=AppIdentity(
                app=who.app,
                name=name,
                publisher=who.publisher,
                origin=who.origin,
                verified=who.verified,
            ),
            permission=entry.name,
            scope=visible(asked.scope),
            scope_words=scope_words(language, entry, asked.scope),
            statement=permission_statement(language, entry, name),
            detail=permission_detail(language, entry, name),
            risk="high" if is_everything(entry, asked.scope) else entry.risk,
            choices=_choices(language, may_remember=asked.may_remember),
            chosen=FIRST_CHOICE,
            allow_label=language.text("page.dialog.allow"),
            deny_label=language.text("page.dialog.deny"),
            remember_label=language.text("page.dialog.remember"),
            reason=visible(asked.reason) if asked.reason else UNSET,
            timeout=self.timeout_ms,
        )


def _choices(language: Language, *, may_remember: bool) -> list[RememberChoice]:
    """The durations that the answer can hold for."""
    return [
        RememberChoice(id=remember, label=hold_words(language, remember))
        for remember in REMEMBER
        if may_remember or remember in PASSING
    ]
