"""BrowserEntrance: lets browsers in for apps, each on record before it is in.

A browser that was turned away, and one that is let in no more, stand in the audit log too. The
control centre's browsers have records of their own (`OperatorAccess`).
"""

from typing import Literal

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.contracts.audit_sink import AuditSink
from deskbus.web.origins.browser_sessions import (
    REVOKED,
    BrowserAdmission,
    BrowserEnd,
    BrowserSessions,
)
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.errors import CONFLICT, DeskbusError
from deskbus_protocol.events import BrowserEntered, BrowserLeft, BrowserRefused

BAD_CODE = "the code is unknown, used, late, or another app's"


class BrowserEntrance:
    """Where the audit log can't be written nobody is let in."""

    def __init__(
        self, browsers: BrowserSessions, *, trail: AuditSink, violations: ViolationRecorder
    ) -> None:
        self._browsers = browsers
        self._trail = trail
        self._violations = violations
        browsers.ended.add(self._ended)

    async def by_code(self, code: str, app: str, origin: str) -> BrowserAdmission | None:
        """None for a code that is not good, or was revoked meanwhile; it is spent in any case.

        Raises `DeskbusError` (audit_unavailable).
        """
        if not self._browsers.spend(code, app):
            await self.refuse(app, origin, BAD_CODE)
            return None
        admission = self._browsers.prepare(app, origin)
        return admission if await self._enter(admission, "code") else None

    async def by_token(self, app: str, origin: str) -> BrowserAdmission:
        """A session for pages of a listed origin, whose secret a person hands them.

        Raises `DeskbusError`: audit_unavailable, conflict where it was revoked meanwhile.
        """
        admission = self._browsers.prepare(app, origin)
        if not await self._enter(admission, "token"):
            raise DeskbusError(CONFLICT, "The browsers of this app were forgotten meanwhile.")
        return admission

    async def by_person(self, admission: BrowserAdmission, number: str, life_s: float) -> bool:
        """Whether the prepared browser that showed `number` is in; raises `DeskbusError`."""
        return await self._enter(admission, "dialog", number, life_s)

    async def refuse(self, app: str, origin: str, reason: str) -> None:
        """Records that a browser was not let in, or counts it with others like it."""
        await self._violations.record(BrowserRefused(site=app, origin=origin, reason=reason))

    async def _enter(
        self,
        admission: BrowserAdmission,
        by: Literal["code", "token", "dialog"],
        number: str = "",
        life_s: float | None = None,
    ) -> bool:
        browser = admission.browser
        entered = BrowserEntered(
            app=browser.app,
            client=browser.name,
            origin=browser.origin,
            actor="person",
            by=by,
            number=number,
        )
        await self._trail.commit(entered)
        if self._browsers.admit(browser, life_s):
            return True
        self._ended(BrowserEnd(browser, REVOKED))
        return False

    def _ended(self, end: BrowserEnd) -> None:
        browser = end.browser
        if browser.app != CONTROL_APP:
            left = BrowserLeft(
                app=browser.app, client=browser.name, origin=browser.origin, reason=end.reason
            )
            self._trail.note(left)
