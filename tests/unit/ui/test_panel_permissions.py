"""The settings panel lists every decision, finds it, and takes it back."""

import pytest
from msgspec import UNSET

from deskbus.ui.panel_permissions import PermissionsPanel
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.panels import PanelContent, PanelQuery
from deskbus_protocol.permissions import Embargo, PermissionList, PermissionRecord


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
            record("ticker", "clipboard.read", "all", allowed=False, risk="high"),
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

    def records(self) -> PermissionList:
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
        ("ticker", "clipboard.read", "Denied"),
        ("ticker", "Keep secrets", "May not ask"),
    ]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("PRICES", ["messaging.read"]),
        ("ticker clip", ["clipboard.read"]),
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
