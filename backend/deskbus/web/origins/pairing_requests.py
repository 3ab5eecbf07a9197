"""PairingRequests: browsers that ask a person to be let in, and the person's word.

A page asks, and shows the number that it gets; a dialog of the shell shows the same number, the
app and the origin. So a person lets in the browser that is in front of them, and not another
program that asks at the same moment. Any program on this machine can ask as any page: what it may
cost a person is bounded here, and nobody who asks is in the way of a one-time code.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple, Protocol

import anyio
import structlog

from deskbus.contracts.audit_sink import AuditSink
from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.reliability.token_bucket import TokenBucket
from deskbus.storage.awake_clock import happens_within
from deskbus.web.limits import (
    BROWSER_LIFE_S,
    MAX_PAIRINGS,
    ONCE_LIFE_S,
    PAIRING_AGAIN_IN_ALL_S,
    PAIRING_AGAIN_S,
    PAIRING_POLL_S,
    PAIRING_REFUSALS,
    PAIRING_REFUSALS_IN_ALL,
    PAIRING_WITHDRAWN_S,
)
from deskbus.web.origins.browser_entrance import BrowserEntrance
from deskbus.web.origins.browser_sessions import BrowserAdmission, BrowserSessions
from deskbus.web.origins.sites import Site
from deskbus_protocol.errors import (
    CONFLICT,
    NOT_FOUND,
    OVERLOADED,
    PERMISSION_DENIED,
    RATE_LIMITED,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.events import BrowserAsked

MAX_POLLS = 2
"""Of one request at once: a page that reloads asks before its earlier question has ended."""

DIGITS = 6
UNCOLLECTED = "it did not come for the answer"
WITHDRAWN = "the page went away before anybody answered"

log = structlog.get_logger()

PairingChoice = Literal["allow", "deny", "dismissed", "timeout", "failed"]

REASONS: dict[PairingChoice, str] = {
    "deny": "a person said no",
    "dismissed": "a person closed the dialog",
    "timeout": "nobody answered in time",
    "failed": "the dialog could not be shown",
}


class PairingAnswer(NamedTuple):
    """With `remember` it holds until the backend ends: a yes at most `BROWSER_LIFE_S`."""

    choice: PairingChoice
    remember: bool = False


class Pairing(NamedTuple):
    """The subject of a dialog: pages of `origin` want to come as the app of `site`."""

    site: Site
    origin: str
    number: str


class PairingPrompt(Protocol):
    """Asks a person at the shell."""

    @property
    def reaches_person(self) -> bool:
        """Whether there is a shell, and it may ask."""

    def invitation(self, app_name: str) -> dict[str, str]:
        """The words with which a page offers to ask, in the person's language."""

    async def ask(self, pairing: Pairing) -> PairingAnswer:
        """An exception of it counts as no answer."""


class OpenedPairing(NamedTuple):
    """`secret` is what the page asks for the outcome by, `number` what it shows."""

    secret: str
    number: str


class _WaitingPage:
    """A request that waits for a person, or for its page to come for the answer."""

    def __init__(self, pairing: Pairing, admission: BrowserAdmission) -> None:
        self.pairing = pairing
        self.admission = admission
        self.scope = anyio.CancelScope()
        self.decided = anyio.Event()
        self.refusal = REASONS["failed"]
        """Empty once a person has let the browser in."""

        self.polls = 0
        self.timer: asyncio.TimerHandle | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.pairing.site.app, self.pairing.origin


class PairingRequests:
    """Without a person at a shell every request is refused."""

    def __init__(
        self,
        browsers: BrowserSessions,
        entrance: BrowserEntrance,
        prompt: PairingPrompt,
        *,
        trail: AuditSink,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._browsers = browsers
        self._entrance = entrance
        self._prompt = prompt
        self._trail = trail
        self._monotonic_s = monotonic_s
        self._tasks = BackgroundTasks()
        self._turn = anyio.Lock()
        self._waiting: dict[bytes, _WaitingPage] = {}
        self._denied: set[tuple[str, str]] = set()
        self._tries: dict[tuple[str, str], TokenBucket] = {}
        self._tries_in_all = TokenBucket(
            1 / PAIRING_AGAIN_IN_ALL_S, PAIRING_REFUSALS_IN_ALL, monotonic_s()
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._tasks.running():
            try:
                yield
            finally:
                for waiting in list(self._waiting.values()):
                    self._drop(waiting)

    def invitation(self, site: Site) -> dict[str, str] | None:
        """The words with which a page offers to ask; None where there is nobody to be asked."""
        return self._prompt.invitation(site.name) if self._reaches_person else None

    @property
    def _reaches_person(self) -> bool:
        return self._tasks.running_now and self._prompt.reaches_person

    async def open(self, site: Site, origin: str) -> OpenedPairing:
        """Has a person asked whether pages of `origin` may come as the site's app.

        Raises `DeskbusError`: unavailable, conflict, overloaded, rate_limited, permission_denied.
        """
        try:
            self._check(site.app, origin)
        except DeskbusError as error:
            await self._entrance.refuse(site.app, origin, error.message)
            raise
        secret = secrets.token_urlsafe(32)
        pairing = Pairing(site, origin, self._new_number())
        waiting = _WaitingPage(pairing, self._browsers.prepare(site.app, origin))
        self._waiting[_digest(secret)] = waiting
        self._expect(waiting)
        self._tasks.start(self._run, waiting)
        return OpenedPairing(secret, pairing.number)

    async def outcome(self, secret: str, app: str, origin: str) -> BrowserAdmission | None:
        """The admission, once; None while nobody has answered, for which it waits a while.

        Raises `DeskbusError`: permission_denied, rate_limited, not_found for what is no request.
        """
        waiting = self._waiting.get(_digest(secret))
        if waiting is None or waiting.key != (app, origin):
            raise DeskbusError(NOT_FOUND, "No such request waits for an answer.")
        if waiting.polls >= MAX_POLLS:
            raise DeskbusError(RATE_LIMITED, "This request is being waited for already.")
        waiting.polls += 1
        self._stop(waiting)
        try:
            decided = await happens_within(waiting.decided, PAIRING_POLL_S)
        finally:
            waiting.polls -= 1
            self._expect(waiting)
        if not decided:
            return None
        if self._waiting.pop(_digest(secret), None) is None:
            raise DeskbusError(NOT_FOUND, "The answer was fetched already.")
        self._stop(waiting)
        if waiting.refusal:
            raise DeskbusError(PERMISSION_DENIED, f"Not let in: {waiting.refusal}.")
        return waiting.admission

    def _check(self, app: str, origin: str) -> None:
        """Raises `DeskbusError` where nobody is to be asked."""
        if not self._reaches_person:
            raise DeskbusError(UNAVAILABLE, "No shell is connected that could ask a person.")
        key, now_s = (app, origin), self._monotonic_s()
        if key in self._denied:
            raise DeskbusError(
                PERMISSION_DENIED, "A person said no to this, until deskbus is started anew."
            )
        if any(waiting.key == key for waiting in self._waiting.values()):
            raise DeskbusError(CONFLICT, "Another page that asked the same waits for an answer.")
        if len(self._waiting) >= MAX_PAIRINGS:
            raise DeskbusError(OVERLOADED, "Too many browsers wait to be let in.")
        if min(self._tries_of(key).fill(now_s), self._tries_in_all.fill(now_s)) < 1:
            raise DeskbusError(RATE_LIMITED, "Nobody said yes to this lately: it waits a while.")

    def _tries_of(self, key: tuple[str, str]) -> TokenBucket:
        """There is one for each app and origin that its manifest or the configuration lists."""
        tries = self._tries.get(key)
        if tries is None:
            tries = TokenBucket(1 / PAIRING_AGAIN_S, PAIRING_REFUSALS, self._monotonic_s())
            self._tries[key] = tries
        return tries

    def _new_number(self) -> str:
        """A number that no other request shows."""
        taken = {waiting.pairing.number for waiting in self._waiting.values()}
        while True:
            digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
            number = f"{digits[: DIGITS // 2]} {digits[DIGITS // 2 :]}"
            if number not in taken:
                return number

    async def _run(self, waiting: _WaitingPage) -> None:
        app, origin = waiting.key
        answer = PairingAnswer("failed")
        try:
            with waiting.scope:
                async with self._turn:
                    number = waiting.pairing.number
                    self._trail.note(BrowserAsked(app=app, origin=origin, number=number))
                    answer = await self._asked(waiting.pairing)
            # A page that is gone gets nothing, whatever was answered in that moment.
            gone = waiting.scope.cancel_called
            waiting.refusal = WITHDRAWN if gone else await self._judge(waiting, answer)
            if waiting.refusal:
                await self._refused(waiting, answer)
            elif waiting not in self._waiting.values():
                self._browsers.end(waiting.admission.browser, UNCOLLECTED)
        finally:
            waiting.decided.set()

    async def _asked(self, pairing: Pairing) -> PairingAnswer:
        try:
            return await self._prompt.ask(pairing)
        except Exception:  # whatever went wrong, no person said yes
            log.exception("web.pairing_prompt_failed", app=pairing.site.app)
            return PairingAnswer("failed")

    async def _judge(self, waiting: _WaitingPage, answer: PairingAnswer) -> str:
        """Lets the browser in where a person said so; returns why it is not, else nothing."""
        if answer.choice != "allow":
            return REASONS[answer.choice]
        pairing = waiting.pairing
        life_s = BROWSER_LIFE_S if answer.remember else ONCE_LIFE_S
        try:
            is_in = await self._entrance.by_person(waiting.admission, pairing.number, life_s)
        except DeskbusError as error:
            return error.message
        return "" if is_in else "the browsers of this app were forgotten meanwhile"

    async def _refused(self, waiting: _WaitingPage, answer: PairingAnswer) -> None:
        now_s = self._monotonic_s()
        if answer.choice == "deny" and answer.remember:
            self._denied.add(waiting.key)
        self._tries_of(waiting.key).spend(1, now_s)
        self._tries_in_all.spend(1, now_s)
        await self._entrance.refuse(*waiting.key, waiting.refusal)

    def _expect(self, waiting: _WaitingPage) -> None:
        """The page has so long to ask again."""
        if not waiting.polls:
            self._stop(waiting)
            loop = asyncio.get_running_loop()
            waiting.timer = loop.call_later(PAIRING_WITHDRAWN_S, self._drop, waiting)

    @staticmethod
    def _stop(waiting: _WaitingPage) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
            waiting.timer = None

    def _drop(self, waiting: _WaitingPage) -> None:
        """The page is gone: its dialog is taken away, and what it did not fetch is void."""
        self._stop(waiting)
        self._waiting = {key: other for key, other in self._waiting.items() if other is not waiting}
        waiting.scope.cancel()
        if waiting.decided.is_set():
            self._browsers.end(waiting.admission.browser, UNCOLLECTED)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
