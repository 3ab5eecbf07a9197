"""Desktop pages in browsers, as the backend sees them: who may be one, and whom they let in."""

from pathlib import Path

import anyio
import msgspec
import pytest

from deskbus.components.fdc3.browser_desktops import BrowserDesktops
from deskbus.fdc3.directory.icons import Icons
from deskbus_protocol.desktop import (
    AdmitParams,
    ClosedParams,
    HostedParams,
    OpenAppWindowParams,
    OpenedParams,
    ShowDesktopChoiceParams,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.ui import Choice, ChoiceAnswer, ChoiceDialog
from tests.unit.fdc3.desk import Desk

pytestmark = pytest.mark.requirement("F")

DESKTOP = ClientId("deskbus.desktop", "tab-1")
CHART = "https://chart.example.com/app"
RECORDS = [
    {"appId": "chart", "name": "Chart", "type": "web", "details": {"url": CHART}},
    {"appId": "feed", "name": "Feed", "type": "native", "details": {"path": str(Path("feed"))}},
]


class Browsers:
    """The desktop pages of a desk, and what each was told."""

    def __init__(self) -> None:
        self.desk = Desk(RECORDS)
        self.told: list[tuple[str, object]] = []
        self.is_connected = True
        self.desktops = BrowserDesktops(lambda: self.desk.agent, self, None, Icons())

    def notify(self, app: str, client: str, method: str, params: object) -> bool:
        self.told.append((method, params))
        return self.is_connected

    def mint(self, identity: ClientId) -> str:
        return f"ticket of {identity.app}/{identity.client}"

    def admit(self, **changes: str) -> AdmitParams:
        wish = {"origin": "https://chart.example.com", "identityUrl": CHART, "actualUrl": CHART}
        return msgspec.convert({**wish, **changes}, AdmitParams)


@pytest.fixture
async def browsers() -> Browsers:
    made = Browsers()
    await made.desktops.begin(DESKTOP)
    return made


async def test_nobody_but_a_desktop_page_lets_pages_in(browsers: Browsers) -> None:
    app = ClientId("chart", "window")
    with pytest.raises(DeskbusError, match="Only the desktop page"):
        await browsers.desktops.begin(app)
    for attempt in (
        lambda: browsers.desktops.admit(app, browsers.admit()),
        lambda: browsers.desktops.ticket(app, HostedParams(instance_id="x")),
        lambda: browsers.desktops.opened(app, OpenedParams(launch="x", opened=True)),
        lambda: browsers.desktops.closed(app, ClosedParams(instance_id="x")),
        lambda: browsers.desktops.answer(app, ChoiceAnswer(dialog="x", nonce="")),
    ):
        with pytest.raises(DeskbusError, match="Only the desktop page"):
            attempt()


async def test_a_page_is_the_app_of_its_origin_and_of_no_other(browsers: Browsers) -> None:
    admitted = browsers.desktops.admit(DESKTOP, browsers.admit())
    assert admitted.app_id == "chart"
    assert browsers.desktops.may_join("deskbus.desktop", ClientId("chart", admitted.client))
    assert not browsers.desktops.may_join("news", ClientId("chart", admitted.client))
    assert not browsers.desktops.may_join("deskbus.desktop", ClientId("chart", "window"))
    with pytest.raises(DeskbusError, match="another origin"):
        browsers.desktops.admit(DESKTOP, browsers.admit(origin="https://evil.example"))
    elsewhere = "https://evil.example/app"
    with pytest.raises(DeskbusError, match="No app of the directory"):
        browsers.desktops.admit(
            DESKTOP,
            browsers.admit(
                origin="https://evil.example", identityUrl=elsewhere, actualUrl=elsewhere
            ),
        )


async def test_a_page_that_knows_its_secret_is_the_same_instance_again(browsers: Browsers) -> None:
    first = browsers.desktops.admit(DESKTOP, browsers.admit())
    proof = {"instanceId": first.instance_id, "instanceUuid": first.instance_uuid}
    again = browsers.desktops.admit(DESKTOP, browsers.admit(**proof))
    assert (again.instance_id, again.client) == (first.instance_id, first.client)
    for wrong in ({**proof, "instanceUuid": "guessed"}, {"instanceId": first.instance_id}):
        other = browsers.desktops.admit(DESKTOP, browsers.admit(**wrong))
        assert other.instance_id != first.instance_id


async def test_a_launch_is_the_page_that_comes_in_its_window(browsers: Browsers) -> None:
    begun: list[ClientId] = []
    opened = anyio.Event()

    async def open_chart() -> None:
        await browsers.desktops.open(DESKTOP, "chart", begun.append)
        opened.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(open_chart)
        await anyio.wait_all_tasks_blocked()
        [(_, wish)] = browsers.told
        assert isinstance(wish, OpenAppWindowParams)
        assert wish.url == CHART
        launch = wish.launch
        browsers.desktops.opened(DESKTOP, OpenedParams(launch=launch, opened=True))
        admitted = browsers.desktops.admit(DESKTOP, browsers.admit(launch=launch))
        assert [admitted.client] == [each.client for each in begun]
        await anyio.wait_all_tasks_blocked()
        assert not opened.is_set()
        browsers.desktops.began(begun[0])
        with anyio.fail_after(20):
            await opened.wait()


async def test_a_window_that_closes_before_its_page_has_begun_is_waited_for_no_longer(
    browsers: Browsers,
) -> None:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browsers.desktops.open, DESKTOP, "chart", lambda _: None)
            await anyio.wait_all_tasks_blocked()
            [(_, wish)] = browsers.told
            assert isinstance(wish, OpenAppWindowParams)
            browsers.desktops.opened(DESKTOP, OpenedParams(launch=wish.launch, opened=True))
            await anyio.wait_all_tasks_blocked()
            browsers.desktops.closed(DESKTOP, ClosedParams(launch=wish.launch))


async def test_a_window_that_the_browser_does_not_open_is_no_instance(browsers: Browsers) -> None:
    begun: list[ClientId] = []

    def begin(client: ClientId) -> None:
        begun.append(client)
        browsers.desk.agent.expect(client)

    browsers.is_connected = False
    with pytest.raises(DeskbusError, match="could be opened"):
        await browsers.desktops.open(DESKTOP, "chart", begin)
    assert browsers.desk.agent.instances.of(begun[0]) is None


async def test_an_app_is_opened_where_its_opener_is(browsers: Browsers) -> None:
    admitted = browsers.desktops.admit(DESKTOP, browsers.admit())
    page, window = ClientId("chart", admitted.client), ClientId("chart", "window")
    place_for = browsers.desktops.place_for
    assert place_for("chart", page, has_shell=True) == DESKTOP
    assert place_for("chart", window, has_shell=True) is None
    assert place_for("chart", window, has_shell=False) == DESKTOP
    # A program has no page.
    assert place_for("feed", page, has_shell=True) is None


async def test_a_choice_is_answered_by_the_desktop_page_that_shows_it(browsers: Browsers) -> None:
    admitted = browsers.desktops.admit(DESKTOP, browsers.admit())
    screen = browsers.desktops.screen_of(ClientId("chart", admitted.client))
    assert screen is not None
    dialog = ChoiceDialog(
        dialog="0123456789abcdef",
        nonce="n",
        app="chart",
        title="t",
        statement="s",
        choices=[Choice(id="1", label="One")],
        timeout=1000,
    )
    got: list[ChoiceAnswer] = []

    async def ask() -> None:
        got.append(await screen.show(dialog, 10.0))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        [(_, shown)] = browsers.told
        assert isinstance(shown, ShowDesktopChoiceParams)
        answer = ChoiceAnswer(dialog=dialog.dialog, nonce="n", choice="1")
        with pytest.raises(DeskbusError, match="not open"):
            browsers.desktops.answer(ClientId("deskbus.desktop", "tab-2"), answer)
        browsers.desktops.answer(DESKTOP, answer)
    assert got == [answer]
    with pytest.raises(DeskbusError, match="not open"):
        browsers.desktops.answer(DESKTOP, answer)


async def test_a_closed_window_is_no_instance_any_more(browsers: Browsers) -> None:
    admitted = browsers.desktops.admit(DESKTOP, browsers.admit())
    browsers.desktops.closed(DESKTOP, ClosedParams(instance_id=admitted.instance_id))
    assert browsers.desk.agent.instances.get(admitted.instance_id) is None
    with pytest.raises(DeskbusError, match="no such instance"):
        browsers.desktops.ticket(DESKTOP, HostedParams(instance_id=admitted.instance_id))
