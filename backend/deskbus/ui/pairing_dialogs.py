"""The dialog about a browser that asks to be let in: a consent dialog with a number to compare."""

import secrets

from deskbus.languages.language import Language
from deskbus.ui.consent_dialogs import ConsentDialogs, DialogOutcome
from deskbus.ui.shell import Shell
from deskbus_protocol.ui import AppIdentity, PermissionDialog, RememberChoice
from deskbus_protocol.wording.display import visible

PERMISSION = "web.pairing"
"""The name that stands for the permission in the descriptor; no app can ask for it."""


class PairingDialogs:
    """Follows the rules of consent dialogs: no shell, no answer or a wrong answer means no."""

    def __init__(self, shell: Shell, dialogs: ConsentDialogs) -> None:
        self._shell = shell
        self._dialogs = dialogs

    @property
    def reaches_person(self) -> bool:
        return self._shell.connected

    @property
    def language(self) -> Language:
        """The language of the person who answers."""
        return self._shell.language

    def invitation(self, app_name: str) -> dict[str, str]:
        """The words with which a page offers to have a person asked."""
        language = self.language
        return {
            "statement": language.text("pairing.page.ask", app=visible(app_name)),
            "button": language.text("pairing.page.button"),
            "compare": language.text("pairing.page.compare"),
            "direction": language.direction,
        }

    async def ask(
        self, identity: AppIdentity, origin: str, number: str, *, outside: bool
    ) -> DialogOutcome:
        """Asks about pages of `origin`; `outside` where that is not the app's own site.

        A yes holds `once`, for an hour, or for the `session`, which is the backend's.
        """
        language, kind = self.language, "outside" if outside else "own"
        name, shown = visible(identity.name), visible(origin)
        descriptor = PermissionDialog(
            dialog=secrets.token_hex(8),
            nonce=secrets.token_urlsafe(16),
            identity=identity,
            permission=PERMISSION,
            scope=shown,
            scope_words=language.text(f"pairing.{kind}.scope"),
            statement=language.text(f"pairing.{kind}.statement", app=name, origin=shown),
            detail=language.text("pairing.detail", app=name),
            risk="high" if outside else "medium",
            choices=[
                RememberChoice(id="once", label=language.text("pairing.once")),
                RememberChoice(id="session", label=language.text("pairing.session")),
            ],
            chosen="once",
            number=number,
            allow_label=language.text("page.dialog.allow"),
            deny_label=language.text("page.dialog.deny"),
            remember_label=language.text("page.dialog.remember"),
            timeout=self._dialogs.timeout_ms,
        )
        return await self._dialogs.put(descriptor)
