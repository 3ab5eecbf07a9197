"""Browsers that ask a person to be let in, and what they may cost that person."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.web.limits import (
    BROWSER_LIFE_S,
    MAX_PAIRINGS,
    ONCE_LIFE_S,
    PAIRING_AGAIN_S,
    PAIRING_REFUSALS,
    PAIRING_REFUSALS_IN_ALL,
)
from deskbus.web.origins import pairing_requests
from deskbus.web.origins.browser_entrance import BrowserEntrance
from deskbus.web.origins.browser_sessions import BrowserAdmission, BrowserSessions
from deskbus.web.origins.pairing_requests import (
    MAX_POLLS,
    OpenedPairing,
    Pairing,
    PairingAnswer,
    PairingRequests,
)
from deskbus.web.origins.sites import Site
from deskbus_protocol.errors import (
    AUDIT_UNAVAILABLE,
    CONFLICT,
    NOT_FOUND,
    OVERLOADED,
    PERMISSION_DENIED,
    RATE_LIMITED,
    UNAVAILABLE,
    DeskbusError,
    ErrorKind,
)
from deskbus_protocol.events import AuditEvent, BrowserEntered, BrowserLeft, BrowserRefused
from deskbus_protocol.manifest import WebSpec
from tests.support.clocks import ManualClock

pytestmark = pytest.mark.requirement("5.4")

LIMIT_S = 20
ALLOW, DENY = PairingAnswer("allow"), PairingAnswer("deny")


def site(app: str = "a.page") -> Site:
    origin = f"http://{app.replace('.', '-')}.localhost:1"
    return Site(
        app=app,
        name=app,
        authority=origin[7:],
        origin=origin,
        folder=Path(),
        pages=(),
        spec=WebSpec(),
    )


class Trail:
    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.full = False

    def note(self, event: AuditEvent) -> None:
        self.events.append(event)

    async def commit(self, event: AuditEvent) -> None:
        if self.full:
            raise DeskbusError(AUDIT_UNAVAILABLE)
        self.note(event)

    def of(self, kind: type[AuditEvent]) -> list[str]:
        """The apps and reasons of these events."""
        found = [event for event in self.events if isinstance(event, kind)]
        return [getattr(event, "site", event.app) + ": " + event.reason for event in found]


class Person:
    """Somebody at a shell, who answers when the test says so."""

    def __init__(self) -> None:
        self.reaches_person = True
        self.at_once: PairingAnswer | None = None
        self.fails = False
        self.seen: list[Pairing] = []
        self.open = 0
        self.changed = anyio.Event()

    def invitation(self, app_name: str) -> dict[str, str]:
        return {"statement": app_name}

    async def ask(self, pairing: Pairing) -> PairingAnswer:
        self.seen.append(pairing)
        self.open += 1
        self._tell()
        try:
            if self.fails:
                raise OSError
            while self.at_once is None:
                await self.changed.wait()
            return self.at_once
        finally:
            self.open -= 1
            self._tell()

    def answer(self, answer: PairingAnswer) -> None:
        self.at_once = answer
        self._tell()

    async def until(self, seen: int, is_open: int) -> None:
        with anyio.fail_after(LIMIT_S):
            while (len(self.seen), self.open) != (seen, is_open):
                await self.changed.wait()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


class Desk:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.trail = Trail()
        self.person = Person()
        self.browsers = BrowserSessions(self.clock)
        entrance = BrowserEntrance(
            self.browsers, trail=self.trail, violations=ViolationRecorder(self.trail)
        )
        self.requests = PairingRequests(
            self.browsers, entrance, self.person, trail=self.trail, monotonic_s=self.clock
        )

    async def ask(self, app: str = "a.page", origin: str = "") -> OpenedPairing:
        return await self.requests.open(site(app), origin or site(app).origin)

    async def outcome(self, opened: OpenedPairing, app: str = "a.page") -> BrowserAdmission | None:
        with anyio.fail_after(LIMIT_S):
            return await self.requests.outcome(opened.secret, app, site(app).origin)

    async def refused(self, app: str = "a.page") -> ErrorKind:
        """The error of a request that nobody is asked about."""
        seen = len(self.person.seen)
        with pytest.raises(DeskbusError) as caught:
            await self.ask(app)
        assert len(self.person.seen) == seen
        return caught.value.kind

    async def turned_away(self, app: str = "a.page") -> str:
        """The words for a page whose request was answered by anything but yes."""
        opened = await self.ask(app)
        with pytest.raises(DeskbusError) as caught:
            await self.outcome(opened, app)
        assert caught.value.kind is PERMISSION_DENIED
        return caught.value.message


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    async with made.requests.running():
        yield made


async def test_a_person_lets_in_the_browser_whose_number_the_dialog_shows(desk: Desk) -> None:
    opened = await desk.ask()
    await desk.person.until(1, 1)
    assert desk.person.seen[0].number == opened.number
    desk.person.answer(ALLOW)
    admission = await desk.outcome(opened)
    assert admission is not None
    assert desk.browsers.find(admission.secret, "a.page", site().origin) is admission.browser
    (entered,) = [event for event in desk.trail.events if isinstance(event, BrowserEntered)]
    assert (entered.by, entered.number, entered.actor) == ("dialog", opened.number, "person")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (DENY, "a person said no"),
        (PairingAnswer("dismissed"), "closed the dialog"),
        (PairingAnswer("timeout"), "nobody answered"),
        (PairingAnswer("failed"), "could not be shown"),
    ],
)
async def test_any_answer_but_yes_is_no_and_on_record(
    desk: Desk, answer: PairingAnswer, words: str
) -> None:
    desk.person.at_once = answer
    assert words in await desk.turned_away()
    assert words in desk.trail.of(BrowserRefused)[0]
    assert desk.browsers.count_of("a.page") == 0


async def test_a_dialog_that_breaks_down_lets_nobody_in(desk: Desk) -> None:
    desk.person.fails = True
    assert "could not be shown" in await desk.turned_away()


async def test_without_a_shell_nobody_is_let_in(desk: Desk) -> None:
    assert desk.requests.invitation(site()) == {"statement": "a.page"}
    desk.person.reaches_person = False
    assert desk.requests.invitation(site()) is None
    assert await desk.refused() is UNAVAILABLE
    assert desk.trail.of(BrowserRefused)


async def test_an_admission_that_can_t_be_recorded_is_none(desk: Desk) -> None:
    desk.person.at_once = ALLOW
    desk.trail.full = True
    await desk.turned_away()
    assert desk.browsers.count_of("a.page") == 0


async def test_a_yes_after_the_apps_browsers_were_forgotten_is_none(desk: Desk) -> None:
    opened = await desk.ask()
    await desk.person.until(1, 1)
    desk.browsers.forget("a.page")
    desk.person.answer(ALLOW)
    with pytest.raises(DeskbusError, match="forgotten meanwhile"):
        await desk.outcome(opened)
    assert desk.browsers.count_of("a.page") == 0


@pytest.mark.parametrize(("remember", "life_s"), [(False, ONCE_LIFE_S), (True, BROWSER_LIFE_S)])
async def test_a_yes_holds_for_as_long_as_was_chosen(
    desk: Desk, remember: bool, life_s: float
) -> None:
    desk.person.at_once = PairingAnswer("allow", remember)
    admission = await desk.outcome(await desk.ask())
    assert admission is not None
    desk.clock.now_s += life_s - 1
    assert desk.browsers.is_in(admission.browser)
    desk.clock.now_s += 1
    desk.browsers.sweep()
    assert not desk.browsers.is_in(admission.browser)
    assert desk.trail.of(BrowserLeft) == ["a.page: its time was over"]


async def test_a_no_that_is_remembered_spares_the_person_until_the_backend_ends(desk: Desk) -> None:
    desk.person.at_once = PairingAnswer("deny", remember=True)
    await desk.turned_away()
    desk.clock.now_s += 100 * PAIRING_AGAIN_S
    assert await desk.refused() is PERMISSION_DENIED
    desk.person.at_once = ALLOW
    assert await desk.outcome(await desk.ask("b.page"), "b.page") is not None


async def test_an_outcome_is_told_once_to_the_page_that_asked(desk: Desk) -> None:
    desk.person.at_once = ALLOW
    opened = await desk.ask()
    for secret, app in (("guessed", "a.page"), (opened.secret, "b.page")):
        with pytest.raises(DeskbusError) as caught:
            await desk.requests.outcome(secret, app, site(app).origin)
        assert caught.value.kind is NOT_FOUND
    assert await desk.outcome(opened) is not None
    with pytest.raises(DeskbusError) as caught:
        await desk.outcome(opened)
    assert caught.value.kind is NOT_FOUND


async def test_one_request_of_a_page_is_before_the_person_and_few_wait(desk: Desk) -> None:
    for number in range(MAX_PAIRINGS):
        await desk.ask(f"app{number}.page")
    await desk.person.until(1, 1)
    assert await desk.refused("app0.page") is CONFLICT
    assert await desk.refused("more.page") is OVERLOADED


async def test_nobody_waits_for_one_request_many_times(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing_requests, "PAIRING_POLL_S", LIMIT_S)
    opened = await desk.ask()
    async with anyio.create_task_group() as polls:
        for _ in range(MAX_POLLS):
            polls.start_soon(desk.outcome, opened)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeskbusError) as caught:
            await desk.outcome(opened)
        assert caught.value.kind is RATE_LIMITED
        polls.cancel_scope.cancel()


async def test_after_some_refusals_nobody_is_asked_for_a_while(desk: Desk) -> None:
    desk.person.at_once = DENY
    for _ in range(PAIRING_REFUSALS):
        await desk.turned_away()
    assert await desk.refused() is RATE_LIMITED
    desk.clock.now_s += PAIRING_AGAIN_S
    await desk.turned_away()
    assert await desk.refused() is RATE_LIMITED


async def test_many_apps_together_flood_nobody_either(desk: Desk) -> None:
    desk.person.at_once = PairingAnswer("timeout")
    for number in range(PAIRING_REFUSALS_IN_ALL):
        await desk.turned_away(f"app{number}.page")
    assert await desk.refused("more.page") is RATE_LIMITED


async def test_a_yes_costs_no_try(desk: Desk) -> None:
    desk.person.at_once = ALLOW
    for _ in range(2 * PAIRING_REFUSALS_IN_ALL):
        assert await desk.outcome(await desk.ask()) is not None


async def test_a_page_that_goes_away_takes_its_dialog_with_it_and_spends_a_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing_requests, "PAIRING_WITHDRAWN_S", 0.01)
    for number in range(1, PAIRING_REFUSALS + 1):
        await desk.ask()
        await desk.person.until(number, 0)
        await anyio.wait_all_tasks_blocked()
    assert "went away" in desk.trail.of(BrowserRefused)[0]
    assert await desk.refused() is RATE_LIMITED


async def test_an_admission_that_nobody_comes_for_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing_requests, "PAIRING_WITHDRAWN_S", 0.01)
    desk.person.at_once = ALLOW
    opened = await desk.ask()
    with anyio.fail_after(LIMIT_S):
        while not desk.trail.of(BrowserLeft):
            await anyio.lowlevel.checkpoint()
    assert desk.browsers.count_of("a.page") == 0
    with pytest.raises(DeskbusError):
        await desk.outcome(opened)
