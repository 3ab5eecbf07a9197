"""The control centre in a real Electron: every page with real data, by pointer and by keys."""

from collections.abc import AsyncIterator

import pytest

from demo.devtools import Page
from demo.electron import ROOT, ElectronSession
from tests.electron.conftest import Starter
from tests.electron.mainprocess import in_main, shell_call

FEED, RECEIVER = "test.feed", "test.receiver"
CENTRE_PAGE = "/control.html"

AXE = (ROOT / "electron-bridge" / "node_modules" / "axe-core" / "axe.min.js").read_text()
SERIOUS = ("serious", "critical")
LOOKS_MS = 1200
"""Long enough for a page to be drawn once more, with what has come meanwhile."""

WATCH_SHIFTS = """(() => {
    window.shifts = [];
    const heard = (list) => window.shifts.push(
        ...list.getEntries().filter((entry) => !entry.hadRecentInput).map(({ value }) => value)
    );
    new PerformanceObserver(heard).observe({ type: 'layout-shift', buffered: true });
})()"""

ADDITION = """shell.addPanel({
    name: 'orders',
    title: 'Orders',
    describe: ({ tab }) => ({
        title: 'Orders',
        tabs: [{ id: 'day', label: 'Today' }, { id: 'week', label: 'Week' }],
        tab: tab || 'day',
        parts: [
            { kind: 'chart', id: 'filled', title: 'Filled', unit: 'rate', times: [1000, 2000, 3000],
              series: [{ label: tab || 'day', values: [1, null, 3] }] },
            { kind: 'graph', id: 'flow', title: 'Desks',
              nodes: [{ id: 'a', label: 'Desk A' }, { id: 'x', label: 'Exchange', column: 1 }],
              edges: [{ source: 'a', target: 'x', weight: 4 }] },
            { kind: 'tree', id: 'books', title: 'Books',
              nodes: [{ id: 'fx', label: 'FX' }, { id: 'eur', label: 'EUR', parent: 'fx' }] },
        ],
        columns: [{ id: 'order', title: 'Order' }],
        rows: [{ id: '7', cells: [{ text: 'Order 7' }], actions: ['cancel'] }],
        rowActions: [{ id: 'cancel', label: 'Cancel order' }],
    }),
    act: (action, row) => { globalThis.cancelled = `${action} ${row}`; return 'Cancelled.'; },
})"""


@pytest.fixture(scope="module")
async def electron(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    async with electron_with(FEED, RECEIVER) as session:
        receiver = await session.window("?receiver")
        await receiver.evaluate("deskbus.subscribe('prices.#', () => undefined).then(() => true)")
        yield session


@pytest.fixture(scope="module")
async def centre(electron: ElectronSession) -> Page:
    await in_main(electron, "shell.openControlCentre().then(() => true)")
    return await electron.window(CENTRE_PAGE)


async def go(electron: ElectronSession, centre: Page, page: str, title: str) -> None:
    await in_main(electron, f"shell.openControlCentre('{page}').then(() => true)")
    await centre.until(f"document.getElementById('title').textContent === '{title}'")


async def keys(centre: Page, key: str, *, control: bool = False) -> None:
    event = f"{{ key: '{key}', ctrlKey: {str(control).lower()}, bubbles: true, cancelable: true }}"
    await centre.evaluate(
        f"void document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {event}))"
    )


@pytest.mark.requirement("7.1")
async def test_the_overview_says_how_all_of_it_is_and_who_talks_most(centre: Page) -> None:
    await centre.until("document.querySelectorAll('.bar').length > 0")
    words = await centre.evaluate("document.querySelector('.overview').innerText")
    assert FEED in words
    assert "prices." in words
    assert "2 of 12 apps running" in words
    await centre.until("document.querySelectorAll('.uplot canvas').length === 6")
    assert await centre.evaluate("document.querySelectorAll('.components li').length") > 10


@pytest.mark.requirement("7.5")
async def test_a_topic_is_found_on_the_map_and_its_messages_come_by_themselves(
    electron: ElectronSession, centre: Page
) -> None:
    await go(electron, centre, "bus", "Bus")
    node = ".node[data-id='1 prices.EURUSD']"
    await centre.until(f'!!document.querySelector("{node}")')
    edges = await centre.evaluate("document.querySelectorAll('.edge').length")
    assert edges >= 2
    await centre.click(node)
    await centre.until("document.querySelectorAll('.message').length > 2")
    first = await centre.evaluate("document.querySelector('.message').textContent")
    await centre.until(
        f"document.querySelector('.message').textContent !== {first!r}", timeout_s=20
    )
    await centre.click(".message")
    shown = await centre.until("document.querySelector('.json').textContent")
    assert "EURUSD" in shown
    await keys(centre, "Escape")
    await centre.until("document.querySelectorAll('.message').length > 2")
    await keys(centre, "Escape")
    await centre.until("document.querySelector('.drawer').hidden")


@pytest.mark.requirement("8.1")
async def test_a_test_message_is_published_and_on_record(
    electron: ElectronSession, centre: Page
) -> None:
    await go(electron, centre, "bus/#publish", "Bus")
    await centre.until("!!document.querySelector('.publisher input')")
    await centre.evaluate("void document.querySelector('.publisher input').focus()")
    await centre.type("tests.centre")
    await centre.click(".publisher button[type=submit]")
    await centre.until("!!document.querySelector('#notice.good')")
    await centre.until("document.querySelectorAll('.message').length === 1")
    await go(electron, centre, "audit", "Audit")
    await centre.until(
        "[...document.querySelectorAll('.panel-row')].some((row) =>"
        " /control\\.acted/.test(row.innerText) && /tests\\.centre/.test(row.innerText))"
    )


@pytest.mark.requirement("4.3")
async def test_an_app_is_shown_beside_its_limits_and_restarted_after_a_question(
    electron: ElectronSession, centre: Page
) -> None:
    await shell_call(electron, "apps.setLimits", app=FEED, limits={"memory_mb": 512})
    await go(electron, centre, f"apps/{FEED}", "Apps")
    await centre.until("document.querySelectorAll('.process-tree li').length > 0")
    await centre.until("/ of /.test(document.querySelector('.drawer .facts').textContent)")
    pid = await centre.evaluate("document.querySelector('.process-tree .mono').textContent")
    await centre.click(".drawer-actions button")
    await centre.until("!!document.querySelector('dialog[open]')")
    assert await centre.evaluate("document.activeElement.textContent") == "Cancel"
    await centre.click("dialog[open] button[type=submit]")
    await centre.until(
        f"document.querySelector('.process-tree .mono') && "
        f"document.querySelector('.process-tree .mono').textContent !== '{pid}'",
        timeout_s=30,
    )


@pytest.mark.requirement("3.5")
async def test_audit_and_permissions_are_pages_and_a_filter_finds_an_app(
    electron: ElectronSession, centre: Page
) -> None:
    await go(electron, centre, f"audit/app:{FEED}", "Audit")
    await centre.until("document.querySelectorAll('.panel-row').length > 0")
    await centre.until(
        "[...document.querySelectorAll('.panel-row')]"
        f".every((row) => row.innerText.includes('{FEED}'))"
    )
    await centre.click(".panel-row")
    await centre.until("document.querySelectorAll('.drawer .facts dt').length > 3")
    await go(electron, centre, "permissions", "Permissions")
    await centre.until("!!document.querySelector('.panel-page')")


async def test_connections_are_listed_and_one_is_closed_after_a_question(
    electron: ElectronSession, centre: Page
) -> None:
    await go(electron, centre, "bus/#links", "Bus")
    rows = "[...document.querySelectorAll('.grid-row')]"
    row = f"{rows}.find((row) => /{RECEIVER}/.test(row.innerText))"
    await centre.until(f"!!{row}")
    await centre.evaluate(f"void {row}.click()")
    await centre.click(".drawer-actions .danger")
    await centre.until("!!document.querySelector('dialog[open]')")
    await centre.click("dialog[open] button[type=submit]")
    await centre.until("!!document.querySelector('#notice.good')")
    await go(electron, centre, "audit", "Audit")
    await centre.until("document.querySelector('.panel-table').innerText.includes('link.closed')")


@pytest.mark.parametrize(
    ("page", "title", "holds"),
    [
        ("traces", "Traces", "!!document.querySelector('.grid')"),
        ("storage", "Storage", "document.querySelectorAll('.block').length > 0"),
        ("vault", "Vault", "document.querySelectorAll('.block').length === 3"),
        ("federation", "Federation", "document.querySelectorAll('.block').length === 1"),
        ("web", "Web", "document.querySelectorAll('.block').length === 1"),
        ("fdc3", "FDC3", "document.querySelector('.about').textContent.includes('[fdc3]')"),
    ],
)
async def test_every_other_page_shows_what_is_so(
    electron: ElectronSession, centre: Page, page: str, title: str, holds: str
) -> None:
    await go(electron, centre, page, title)
    await centre.until(holds)


async def test_the_palette_goes_anywhere_by_a_few_letters(centre: Page) -> None:
    await keys(centre, "k", control=True)
    await centre.until("document.querySelector('dialog.palette').open")
    await centre.type("bu")
    await centre.until(
        "!!document.querySelector('.command[aria-selected=true]').textContent.startsWith('Bus')"
    )
    await keys(centre, "Enter")
    await centre.until("document.getElementById('title').textContent === 'Bus'")
    await centre.until("!!document.querySelector('input[type=search]')")
    await centre.evaluate("void document.activeElement.blur()")
    await keys(centre, "/")
    assert await centre.evaluate("document.activeElement.type") == "search"


async def test_a_long_table_has_elements_for_the_rows_in_view_only(
    electron: ElectronSession, centre: Page
) -> None:
    await in_main(
        electron,
        "Promise.all(Array.from({ length: 400 }, (_, number) =>"
        " shell.call('control.publish', { topic: `many.${number}`, payload: number })))"
        ".then(() => true)",
    )
    await go(electron, centre, "bus/#topics", "Bus")
    await centre.until(
        "Number(document.querySelector('.grid').getAttribute('aria-rowcount')) > 400"
    )
    assert await centre.evaluate("document.querySelectorAll('.grid-row').length") < 60
    await centre.evaluate("void document.querySelector('.grid').focus()")
    await centre.press("End", 35)
    await centre.until(
        "[...document.querySelectorAll('.grid-row:not([hidden])')]"
        ".some((row) => Number(row.getAttribute('aria-rowindex')) > 400)"
    )


async def test_a_panel_of_the_programs_own_is_a_page_with_its_parts(
    electron: ElectronSession, centre: Page
) -> None:
    await in_main(electron, f"{ADDITION}.then(() => true)")
    await in_main(electron, "shell.openPanel('orders').then(() => true)")
    await centre.until("document.getElementById('title').textContent === 'Orders'")
    await centre.until("!!document.querySelector('.parts .uplot')")
    assert await centre.evaluate("document.querySelectorAll('.parts .node').length") == 2
    assert await centre.evaluate("document.querySelectorAll('.part-tree li').length") == 2
    await centre.click(".segments [role=tab]:last-child")
    await centre.until("!!document.querySelector('.parts .legend').textContent.includes('week')")
    await centre.click(".panel-row button")
    await centre.until("document.querySelector('#notice').textContent.includes('Cancel order')")
    assert await in_main(electron, "globalThis.cancelled") == "cancel 7"


@pytest.fixture(scope="module")
async def loads(centre: Page) -> Page:
    """The control centre with axe-core in it, and with what shifts its layout on record."""
    await centre.evaluate(f"void {WATCH_SHIFTS}")
    await centre.evaluate(f"{AXE}; void 0")
    return centre


@pytest.mark.parametrize(
    ("page", "title", "holds"),
    [
        ("overview", "Overview", "document.querySelectorAll('.bar').length > 0"),
        (f"apps/{FEED}", "Apps", "document.querySelectorAll('.process-tree li').length > 0"),
        ("bus/prices.EURUSD", "Bus", "document.querySelectorAll('.message').length > 0"),
        ("permissions", "Permissions", "document.querySelectorAll('.panel-row').length > 0"),
        ("audit", "Audit", "document.querySelectorAll('.panel-row').length > 0"),
        ("traces", "Traces", "!!document.querySelector('.grid')"),
        ("storage", "Storage", "document.querySelectorAll('.block').length > 0"),
        ("vault", "Vault", "document.querySelectorAll('.block').length > 0"),
        ("federation", "Federation", "document.querySelectorAll('.block').length > 0"),
        ("web", "Web", "document.querySelectorAll('.block').length > 0"),
    ],
)
async def test_nothing_moves_once_a_page_is_there_and_axe_finds_nothing_serious(
    electron: ElectronSession, loads: Page, page: str, title: str, holds: str
) -> None:
    await loads.evaluate("void window.shifts.splice(0)")
    await go(electron, loads, page, title)
    await loads.until(holds)
    drawn = await loads.evaluate("performance.now()")
    await loads.until(f"performance.now() > {drawn} + {LOOKS_MS}")
    assert await loads.evaluate("window.shifts.splice(0)") == []
    found = await loads.evaluate("axe.run({ resultTypes: ['violations'] })")
    serious = [
        (rule["id"], [node["html"] for node in rule["nodes"]][:3])
        for rule in found["violations"]
        if rule["impact"] in SERIOUS
    ]
    assert serious == []


async def test_every_control_has_a_name_for_a_screen_reader(
    electron: ElectronSession, centre: Page
) -> None:
    for page, title in (("overview", "Overview"), ("bus", "Bus"), ("apps", "Apps")):
        await go(electron, centre, page, title)
        await centre.until("document.querySelectorAll('button').length > 3")
        tree = await centre.call("Accessibility.getFullAXTree")
        nameless = [
            node["role"]["value"]
            for node in tree["nodes"]
            if not node["ignored"]
            and node["role"]["value"]
            in ("button", "link", "searchbox", "textbox", "combobox", "grid")
            and not node.get("name", {}).get("value")
        ]
        assert nameless == []


async def test_the_page_reaches_what_it_shows_and_nothing_else(centre: Page) -> None:
    for name in ("require", "process", "deskbus", "ipcRenderer"):
        assert await centre.evaluate(f"typeof {name}") == "undefined"
    answer = await centre.evaluate("controlCentre.call('session.mintTicket', { app: 'test.feed' })")
    assert answer["error"]["data"]["category"] == "permission"


async def test_a_narrow_window_and_a_large_type_leave_nothing_out_of_reach(
    electron: ElectronSession, centre: Page
) -> None:
    window = (
        "electron.BrowserWindow.getAllWindows()"
        f".find((one) => one.webContents.getURL().includes('{CENTRE_PAGE}'))"
    )
    for size, zoom in (((480, 640), 1), ((1360, 860), 2)):
        await in_main(electron, f"void {window}.setContentSize{size}")
        await in_main(electron, f"void {window}.webContents.setZoomFactor({zoom})")
        for page, title in (("overview", "Overview"), ("bus", "Bus"), ("apps", "Apps")):
            await go(electron, centre, page, title)
            await centre.until("document.documentElement.scrollWidth <= innerWidth")
    await in_main(electron, f"void {window}.webContents.setZoomFactor(1)")
