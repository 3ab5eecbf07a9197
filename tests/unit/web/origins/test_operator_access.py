"""Browsers in the control centre, by an injected clock and audit log."""

from collections.abc import Callable

import pytest

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.web.limits import ACT_LIFE_S, CODE_LIFE_S, CONTROL_LIFE_S
from deskbus.web.origins.browser_sessions import Browser, BrowserSessions
from deskbus.web.origins.operator_access import OperatorAccess, meant_code
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, DeskbusError
from deskbus_protocol.events import AuditEvent

ORIGIN = "http://control.localhost:1"


class Log:
    """An audit log of which a test reads the kinds of records, and which may be full."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.full = False
        self.permitted_at_commit: list[bool] = []
        self.probe: Callable[[], bool] = lambda: False

    def note(self, event: AuditEvent) -> None:
        self.kinds.append(str(event.__struct_config__.tag))

    async def commit(self, event: AuditEvent) -> None:
        if self.full:
            raise DeskbusError(AUDIT_UNAVAILABLE)
        self.permitted_at_commit.append(self.probe())
        self.note(event)


class Office:
    def __init__(self) -> None:
        self.now_s = 1000.0
        self.log = Log()
        self.browsers = BrowserSessions(lambda: self.now_s)
        self.access = OperatorAccess(
            self.browsers,
            trail=self.log,
            violations=ViolationRecorder(self.log),
            monotonic_s=lambda: self.now_s,
            clock_ms=lambda: int(self.now_s * 1000),
        )

    async def enter(self) -> Browser:
        admission = await self.access.enter(self.browsers.new_code(CONTROL_APP), ORIGIN)
        assert admission is not None
        return admission.browser

    def may(self, browser: Browser, *, act: bool = False) -> bool:
        identity = ClientId(CONTROL_APP, browser.new_client())
        return self.access.permits(identity, "control.act" if act else "control.view")


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_browser_looks_by_one_code_and_acts_by_another(office: Office) -> None:
    browser = await office.enter()
    assert office.may(browser)
    assert not office.may(browser, act=True)
    name, code = office.access.new_code("")
    assert name == browser.name
    assert await office.access.step_up(browser, f" {code.lower().replace('-', ' ')}") == ACT_LIFE_S
    assert office.may(browser, act=True)
    assert office.log.kinds == ["control.entered", "control.stepped_up"]


async def test_no_record_of_a_step_up_stands_behind_the_one_of_the_browsers_end(
    office: Office,
) -> None:
    browser = await office.enter()
    _, code = office.access.new_code("")
    office.now_s += CODE_LIFE_S - 1
    office.browsers.end(browser, "another browser took its place")
    assert await office.access.step_up(browser, code) is None
    assert office.log.kinds == ["control.entered", "control.left"]


async def test_a_browser_that_leaves_while_its_step_up_is_recorded_may_not_act(
    office: Office,
) -> None:
    browser = await office.enter()
    _, code = office.access.new_code("")

    def leave() -> bool:
        office.browsers.end(browser, "another browser took its place")
        return True

    office.log.probe = leave
    assert await office.access.step_up(browser, code) is None
    assert not office.may(browser, act=True)


async def test_what_is_permitted_ends_by_itself(office: Office) -> None:
    browser = await office.enter()
    await office.access.step_up(browser, office.access.new_code("")[1])
    office.now_s += ACT_LIFE_S
    assert not office.may(browser, act=True)
    assert office.may(browser)
    office.now_s += CONTROL_LIFE_S - ACT_LIFE_S
    assert not office.may(browser)
    office.browsers.sweep()
    assert office.log.kinds[-1] == "control.left"
    with pytest.raises(DeskbusError, match="No such browser"):
        office.access.new_code("")


async def test_acting_ends_no_later_than_looking(office: Office) -> None:
    browser = await office.enter()
    office.now_s += CONTROL_LIFE_S - 60
    assert await office.access.step_up(browser, office.access.new_code("")[1]) == 60


async def test_a_code_is_good_once_for_one_browser_and_one_thing(office: Office) -> None:
    one, other = await office.enter(), await office.enter()
    with pytest.raises(DeskbusError, match="Several browsers"):
        office.access.new_code("")
    _, code = office.access.new_code(one.name)
    assert await office.access.step_up(other, code) is None
    assert await office.access.step_up(one, code) is None
    assert await office.access.step_up(one, office.browsers.new_code(CONTROL_APP)) is None
    _, code = office.access.new_code(one.name)
    assert await office.access.enter(code, ORIGIN) is None
    _, code = office.access.new_code(one.name)
    office.now_s += CODE_LIFE_S
    assert await office.access.step_up(one, code) is None
    assert not office.may(one, act=True)
    assert await office.access.enter(office.browsers.new_code("another.app"), ORIGIN) is None
    assert "control.refused" in office.log.kinds


async def test_nothing_is_permitted_before_it_is_on_record(office: Office) -> None:
    office.log.probe = lambda: office.browsers.count_of(CONTROL_APP) > 0
    browser = await office.enter()
    office.log.probe = lambda: office.may(browser, act=True)
    await office.access.step_up(browser, office.access.new_code("")[1])
    assert office.log.permitted_at_commit == [False, False]


async def test_nobody_enters_or_acts_while_the_log_cannot_be_written(office: Office) -> None:
    browser = await office.enter()
    _, act = office.access.new_code("")
    enter = office.browsers.new_code(CONTROL_APP)
    office.log.full = True
    with pytest.raises(DeskbusError):
        await office.access.step_up(browser, act)
    with pytest.raises(DeskbusError):
        await office.access.enter(enter, ORIGIN)
    office.log.full = False
    assert not office.may(browser, act=True)
    assert office.browsers.count_of(CONTROL_APP) == 1
    assert await office.access.enter(enter, ORIGIN) is None


async def test_whoever_is_revoked_is_out_at_once(office: Office) -> None:
    browser = await office.enter()
    await office.access.step_up(browser, office.access.new_code("")[1])
    waiting = office.browsers.new_code(CONTROL_APP)
    ended: list[str] = []
    office.browsers.ended.add(lambda end: ended.append(end.browser.name))
    assert office.browsers.forget(CONTROL_APP) == 1
    assert not office.may(browser)
    assert not office.may(browser, act=True)
    assert ended == [browser.name]
    assert await office.access.enter(waiting, ORIGIN) is None


async def test_nobody_enters_who_is_revoked_while_it_is_put_on_record(office: Office) -> None:
    office.log.probe = lambda: office.browsers.forget(CONTROL_APP) > 0
    code = office.browsers.new_code(CONTROL_APP)
    assert await office.access.enter(code, ORIGIN) is None
    assert office.browsers.count_of(CONTROL_APP) == 0
    assert office.log.kinds == ["control.entered", "control.left"]


async def test_a_client_of_no_browser_may_nothing(office: Office) -> None:
    browser = await office.enter()
    await office.access.step_up(browser, office.access.new_code("")[1])
    for app, client in (
        ("an.app", browser.new_client()),
        (CONTROL_APP, f"tab-{browser.name}"),
        (CONTROL_APP, "tab-00000000-00000000"),
    ):
        assert not office.access.permits(ClientId(app, client), "control.view")


def test_a_code_may_be_typed_as_it_is_read() -> None:
    assert meant_code("ab0o-il1v wxyz") == "AB00111VWXYZ"
