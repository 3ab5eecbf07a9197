"""The settings panel lists every decision, finds it, and takes it back."""

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from deskbus.languages.language import Language
from deskbus.ui.panels.permissions_panel import PermissionsPanel
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.panels import MAX_ROWS, PanelContent, PanelQuery
from deskbus_protocol.permissions import Embargo, PermissionList, PermissionRecord
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES


def record(app: str, permission: str, scope: str, **changes: object) -> PermissionRecord:
    fields = {
        "app": app,
        "name": app.title(),
        "permission": permission,
        "scope": scope,
        "title": permission,
        "scope_words": scope,
        "risk": "medium",
        "allowed": True,
        "holds": "always",
        "source": "person",
        **changes,
    }
    return PermissionRecord(**fields)  # type: ignore[arg-type]


class Book:
    """A permission service with a page of decisions."""

    def __init__(self) -> None:
        self.entries = [
            record("ticker", "messaging.read", "prices.#", since=1, last_used=5),
            record("ticker", "geolocation", "all", allowed=False, risk="high"),
            record("blotter", "network", "https://a.example", source="policy", risk="high"),
        ]
        self.embargoes = [
            Embargo(
                app="ticker",
                name="Ticker",
                permission="secrets",
                title="Keep secrets",
                since=1,
                until=9,
                because="timeout",
            )
        ]
        self.calls: list[tuple[str, ...]] = []
        self.finds = 1

    def records(self, language: Language) -> PermissionList:
        return PermissionList(epoch=1, records=self.entries, embargoes=self.embargoes)

    async def revoke(self, app: str, permission: str | None, scope: str | None) -> int:
        self.calls.append(("revoke", app, str(permission), str(scope)))
        return self.finds

    async def reset_embargo(self, app: str, permission: str | None) -> int:
        self.calls.append(("reset", app, str(permission)))
        return self.finds


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def panel(book: Book) -> PermissionsPanel:
    return PermissionsPanel(book)


def seen(content: PanelContent) -> list[tuple[str | object, str, str]]:
    return [(row.group, row.cells[0].text, row.cells[2].text) for row in content.rows]


@pytest.mark.requirement("3.2")
async def test_every_decision_and_embargo_is_listed_below_its_app(panel: PermissionsPanel) -> None:
    content = await panel.describe(PanelQuery())
    assert [group.id for group in content.groups] == ["blotter", "ticker"]
    assert seen(content) == [
        ("blotter", "network", "Allowed"),
        ("ticker", "messaging.read", "Allowed"),
        ("ticker", "geolocation", "Denied"),
        ("ticker", "Keep secrets", "May not ask"),
    ]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("PRICES", ["messaging.read"]),
        ("ticker geo", ["geolocation"]),
        ("blotter", ["network"]),
        ("nothing", []),
    ],
)
async def test_a_search_looks_for_every_word_in_app_permission_and_scope(
    panel: PermissionsPanel, search: str, found: list[str]
) -> None:
    content = await panel.describe(PanelQuery(search=search))
    assert [row.cells[0].text for row in content.rows] == found


async def test_a_filter_leaves_one_kind_of_decision(panel: PermissionsPanel) -> None:
    content = await panel.describe(PanelQuery(filters={"state": "embargo"}))
    assert [row.cells[2].text for row in content.rows] == ["May not ask"]
    for filters in ({"app": "blotter"}, {"source": "policy"}):
        content = await panel.describe(PanelQuery(filters=filters))
        assert [row.group for row in content.rows] == ["blotter"]


async def test_a_row_is_revoked_by_its_own_permission_and_scope(
    panel: PermissionsPanel, book: Book
) -> None:
    content = await panel.describe(PanelQuery(search="prices"))
    await panel.act("revoke", content.rows[0].id, None)
    assert book.calls == [("revoke", "ticker", "messaging.read", "prices.#")]


async def test_all_of_an_app_and_an_embargo_are_taken_back(
    panel: PermissionsPanel, book: Book
) -> None:
    content = await panel.describe(PanelQuery(filters={"state": "embargo"}))
    await panel.act("reset", content.rows[0].id, None)
    await panel.act("revokeAll", "ticker", None)
    assert book.calls == [("reset", "ticker", "secrets"), ("revoke", "ticker", "None", "None")]


async def test_what_an_administrator_decided_has_no_button(panel: PermissionsPanel) -> None:
    content = await panel.describe(PanelQuery(filters={"app": "blotter"}))
    assert content.rows[0].actions == []
    assert content.groups[0].actions == []


async def test_a_decision_that_is_gone_is_told(panel: PermissionsPanel, book: Book) -> None:
    book.finds = 0
    content = await panel.describe(PanelQuery(search="prices"))
    with pytest.raises(DeskbusError) as refused:
        await panel.act("revoke", content.rows[0].id, None)
    assert refused.value.kind is NOT_FOUND


async def test_names_and_scopes_are_shown_with_their_hidden_characters(
    panel: PermissionsPanel, book: Book
) -> None:
    book.entries = [record("evil", "network", "https://a\u202e.example", name="Tick\u200ber")]
    content = await panel.describe(PanelQuery(filters={"app": "evil"}))
    assert content.groups[0].title == "Tick\\u{200b}er"
    assert content.rows[0].cells[1].note == "https://a\\u{202e}.example"


async def test_without_decisions_the_panel_says_when_there_will_be_some(
    panel: PermissionsPanel, book: Book
) -> None:
    book.entries, book.embargoes = [], []
    content = await panel.describe(PanelQuery())
    assert content.rows == []
    assert content.empty
    assert content.empty.title == "No decisions yet"


@pytest.mark.parametrize(
    ("scope", "text", "note"),
    [
        ("prices.#", "in words", "prices.#"),
        ("/home/anna", "/home/anna", "in words"),
        ("all", "in words", UNSET),
    ],
)
async def test_a_scope_is_told_in_words_and_as_it_is(
    panel: PermissionsPanel, book: Book, scope: str, text: str, note: object
) -> None:
    book.entries, book.embargoes = [record("ticker", "x", scope, scope_words="in words")], []
    (row,) = (await panel.describe(PanelQuery())).rows
    assert (row.cells[1].text, row.cells[1].note) == (text, note)


async def pages_of(panel: PermissionsPanel) -> list[PanelContent]:
    """Forwards as far as it goes, as a person turns them."""
    pages = [await panel.describe(PanelQuery())]
    while not isinstance(pages[-1].next, UnsetType):
        pages.append(await panel.describe(PanelQuery(cursor=pages[-1].next)))
    return pages


@pytest.mark.slow
@pytest.mark.parametrize("scope_length", [10, 1000])
async def test_every_row_is_on_one_page_and_no_page_outgrows_a_frame(
    panel: PermissionsPanel, book: Book, scope_length: int
) -> None:
    book.entries = [
        record(f"app{at % 500:03}", "network", f"{at:04}{'ü' * scope_length}") for at in range(1500)
    ]
    pages = await pages_of(panel)
    assert max(len(msgspec.json.encode(page)) for page in pages) < MAX_FRAME_BYTES // 2
    assert all(len(page.rows) <= MAX_ROWS for page in pages)
    shown = [row.id for page in pages for row in page.rows]
    assert len(shown) == len(set(shown)) == 1501
    for content in pages:
        # The demands of the descriptor's schema: lengths of ids and lists.
        msgspec.convert(msgspec.to_builtins(content), PanelContent)
    assert "1,501 decisions" in pages[0].summary
    back = pages[-1]
    met = len(back.rows)
    while not isinstance(back.previous, UnsetType):
        back = await panel.describe(PanelQuery(cursor=back.previous))
        met += len(back.rows)
    assert back.rows[0].id == shown[0]
    assert met == 1501


async def test_a_page_whose_first_row_was_revoked_stays_where_it_was(
    panel: PermissionsPanel, book: Book
) -> None:
    book.entries = [record(f"app{at:03}", "network", "x") for at in range(700)]
    _, second, _ = await pages_of(panel)
    first = await panel.describe(PanelQuery())
    book.entries = [one for one in book.entries if one.app != second.rows[0].group]
    again = await panel.describe(PanelQuery(cursor=str(first.next)))
    assert again.rows[0].id == second.rows[1].id


async def test_a_row_with_a_scope_longer_than_an_id_is_revoked(
    panel: PermissionsPanel, book: Book
) -> None:
    book.entries = [record("ticker", "network", "x" * 1024)]
    content = await panel.describe(PanelQuery(search="network"))
    await panel.act("revoke", content.rows[0].id, None)
    assert book.calls == [("revoke", "ticker", "network", "x" * 1024)]


async def test_the_panel_is_in_the_language_of_whoever_looks(panel: PermissionsPanel) -> None:
    content = await panel.describe(PanelQuery(locale="de-AT", filters={"state": "embargo"}))
    assert content.title == "Berechtigungen"
    assert [row.cells[2].text for row in content.rows] == ["Darf nicht fragen"]
    assert await panel.act("reset", content.rows[0].id, None) == "Die App darf wieder fragen."
