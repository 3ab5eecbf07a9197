"""BrowserPairings: the person at the shell, who lets browsers in by the consent dialog."""

from collections.abc import Callable
from typing import Literal

from deskbus.ui.pairing_dialogs import PairingDialogs
from deskbus.web.origins.pairing_requests import Pairing, PairingAnswer
from deskbus_protocol.ui import AppIdentity
from deskbus_protocol.wording.display import visible


class BrowserPairings:
    """`PairingPrompt`, by the consent dialog. `verified` tells of an app whether it is signed."""

    def __init__(
        self,
        dialogs: PairingDialogs,
        mode: Literal["ask", "allow", "deny"],
        verified: Callable[[str], bool],
    ) -> None:
        self._dialogs = dialogs
        self._mode = mode
        self._verified = verified

    @property
    def reaches_person(self) -> bool:
        """Not where nobody is to be asked. An app's permissions let no browser in."""
        return self._mode != "deny" and self._dialogs.reaches_person

    def invitation(self, app_name: str) -> dict[str, str]:
        return self._dialogs.invitation(app_name)

    async def ask(self, pairing: Pairing) -> PairingAnswer:
        site = pairing.site
        unknown = self._dialogs.language.text("consent.publisher.unknown")
        identity = AppIdentity(
            app=site.app,
            name=visible(site.name),
            publisher=visible(site.publisher) or unknown,
            verified=self._verified(site.app),
        )
        is_outside = pairing.origin != site.origin
        outcome = await self._dialogs.ask(
            identity, pairing.origin, pairing.number, outside=is_outside
        )
        return PairingAnswer(outcome.choice, remember=outcome.remember != "once")
