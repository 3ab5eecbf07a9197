"""OperatorAccess: what browsers that were let in to the control centre may do, and for how long.

One code lets a browser in, to look; another one, made for that browser alone, lets it act. Each
stands in the audit log before it has an effect: where that can't be written, the answer is no.
"""

import secrets
from collections.abc import Callable

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.contracts.audit_sink import AuditSink
from deskbus.web.limits import ACT_LIFE_S, CONTROL_LIFE_S
from deskbus.web.origins.browser_sessions import (
    REVOKED,
    Browser,
    BrowserAdmission,
    BrowserEnd,
    BrowserSessions,
)
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import CONFLICT, NOT_FOUND, DeskbusError
from deskbus_protocol.events import (
    ControlEntered,
    ControlLeft,
    ControlRefused,
    ControlSteppedUp,
)
from deskbus_protocol.method import ControlPermission

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter of it is taken for a digit when a person types it."""

MISTYPED = str.maketrans("OIL", "011", "- ")

GROUPS, GROUP_CHARACTERS = 4, 4
"""The shape of a code that a person enters: 80 bits, valid for a minute, at a few tries a second.
"""


def new_act_code() -> str:
    """As it is shown to a person."""
    groups = (
        "".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARACTERS)) for _ in range(GROUPS)
    )
    return "-".join(groups)


def meant_code(entered: str) -> str:
    """The code that a person meant, whose groups may be missing and whose letters small."""
    return entered.upper().translate(MISTYPED)


class OperatorAccess:
    """`monotonic_s` is the clock of `browsers`; `clock_ms` tells Unix milliseconds."""

    def __init__(
        self,
        browsers: BrowserSessions,
        *,
        trail: AuditSink,
        violations: ViolationRecorder,
        monotonic_s: Callable[[], float],
        clock_ms: Callable[[], int],
    ) -> None:
        self._browsers = browsers
        self._trail = trail
        self._violations = violations
        self._monotonic_s = monotonic_s
        self._clock_ms = clock_ms
        browsers.ended.add(self._ended)

    async def enter(self, code: str, origin: str) -> BrowserAdmission | None:
        """Lets a browser in to look; None for a code that is not good, or was revoked meanwhile.

        Raises `DeskbusError` (audit_unavailable); the code is spent in any case.
        """
        if not self._browsers.spend(code, CONTROL_APP):
            await self._violations.record(_refusal("", "no such code lets a browser in"))
            return None
        admission = self._browsers.prepare(CONTROL_APP, origin)
        until = self._clock_ms() + int(CONTROL_LIFE_S * 1000)
        await self._trail.commit(
            ControlEntered(
                app=CONTROL_APP, client=_client(admission.browser), actor="person", until=until
            )
        )
        if not self._browsers.admit(admission.browser):
            self._ended(BrowserEnd(admission.browser, REVOKED))
            return None
        return admission

    def new_code(self, name: str) -> tuple[str, str]:
        """The browser of this name, or the only one, and a code by which it may act.

        Raises `DeskbusError`: not_found, conflict where a name is wanted, overloaded.
        """
        let_in = self._browsers.of_app(CONTROL_APP)
        found = [each.name for each in let_in if name in ("", each.name)]
        if not found:
            raise DeskbusError(
                NOT_FOUND,
                "No such browser was let in to the control centre.",
                action="Let one in with: deskbus control-centre --browser",
            )
        if len(found) > 1:
            raise DeskbusError(
                CONFLICT,
                "Several browsers were let in to the control centre.",
                action="Name the one that its page shows: deskbus control-centre --act NAME",
            )
        code = new_act_code()
        self._browsers.keep_code(meant_code(code), CONTROL_APP, found[0])
        return found[0], code

    async def step_up(self, browser: Browser, code: str) -> float | None:
        """Lets a browser act by a code of its own; the seconds for which it may.

        None for a code that is not good, and for a browser that is not in any more: so no record of
        it stands behind the one of its end. Raises `DeskbusError` (audit_unavailable).
        """
        if not self._browsers.is_in(browser):
            return None
        if not self._browsers.spend(meant_code(code), CONTROL_APP, browser.name):
            reason = "no such code lets this browser act"
            await self._violations.record(_refusal(_client(browser), reason))
            return None
        until_s = min(self._monotonic_s() + ACT_LIFE_S, browser.ends_at_s)
        life_s = until_s - self._monotonic_s()
        until = self._clock_ms() + int(life_s * 1000)
        await self._trail.commit(
            ControlSteppedUp(app=CONTROL_APP, client=_client(browser), actor="person", until=until)
        )
        if not self._browsers.is_in(browser):
            return None
        browser.acts_until_s = until_s
        return life_s

    def permits(self, identity: ClientId, permission: ControlPermission) -> bool:
        """Whether a client of the control centre's pages may look, or act, at this moment."""
        browser = self._browser_of(identity)
        if browser is None or not self._browsers.is_in(browser):
            return False
        return permission == "control.view" or browser.acts_until_s > self._monotonic_s()

    def acts_until_ms(self, identity: ClientId) -> int | None:
        """Unix milliseconds; None where the client may not act."""
        browser = self._browser_of(identity)
        if browser is None or not self.permits(identity, "control.act"):
            return None
        return self._clock_ms() + int((browser.acts_until_s - self._monotonic_s()) * 1000)

    def _browser_of(self, identity: ClientId) -> Browser | None:
        if identity.app != CONTROL_APP:
            return None
        of_client = (
            browser
            for browser in self._browsers.of_app(CONTROL_APP)
            if browser.is_own_client(identity.client)
        )
        return next(of_client, None)

    def _ended(self, end: BrowserEnd) -> None:
        if end.browser.app == CONTROL_APP:
            self._trail.note(
                ControlLeft(app=CONTROL_APP, client=_client(end.browser), reason=end.reason)
            )


def _client(browser: Browser) -> str:
    """The prefix of the names of this browser's clients."""
    return f"tab-{browser.name}"


def _refusal(client: str, reason: str) -> ControlRefused:
    return ControlRefused(app=CONTROL_APP if client else "", client=client, reason=reason)
