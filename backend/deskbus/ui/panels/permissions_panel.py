"""The settings panel: what every app may do and may not, and taking it back."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from deskbus.contracts.permission_records import PermissionRecords
from deskbus.languages.language import english
from deskbus.languages.permission_words import hold_words
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.panels import (
    PanelAction,
    PanelCell,
    PanelColumn,
    PanelContent,
    PanelFact,
    PanelFilter,
    PanelGroup,
    PanelMessage,
    PanelOption,
    PanelQuery,
    PanelRow,
    PanelSearch,
    PanelVerdict,
    Tone,
)
from deskbus_protocol.permissions import Embargo, PermissionList, PermissionRecord, Risk
from deskbus_protocol.wording.display import visible
from deskbus_protocol.wording.quantity import counted, number

PAGE_ROWS = 300
PAGE_BYTES = 1 << 20
"""Of the rows of one page, as they are sent: far below a frame's limit, however long scopes are."""


MAX_OPTIONS = 500
"""A filter offers no more than a descriptor may have; the search finds every app."""


MAX_ID = 512


RISK_TONES: dict[Risk, Tone] = {"low": "good", "medium": "caution", "high": "bad"}
RISK_WORDS: dict[Risk, str] = {"low": "Low risk", "medium": "Medium risk", "high": "High risk"}
SOURCES = {"person": "You", "policy": "Your administrator", "config": "The configuration"}
BRIEFLY = {"person": "", "policy": "By policy", "config": "Configured"}


COLUMNS = [
    PanelColumn(id="permission", title="Permission", weight=5),
    PanelColumn(id="scope", title="For what", weight=6),
    PanelColumn(id="decision", title="Decision", weight=0),
    PanelColumn(id="since", title="Since", weight=4),
    PanelColumn(id="until", title="Until", weight=4),
    PanelColumn(id="used", title="Last used", weight=4),
]
REVOKE = PanelAction(id="revoke", label="Revoke", style="danger")
FORGET = PanelAction(id="forget", label="Forget")
RESET = PanelAction(id="reset", label="Let it ask again")
REVOKE_ALL = PanelAction(
    id="revokeAll",
    label="Revoke all",
    style="danger",
    confirm="Take back everything that you decided for this app?",
    confirm_label="Revoke all",
)
STATES = [
    PanelOption(value="allowed", label="Allowed"),
    PanelOption(value="denied", label="Denied"),
    PanelOption(value="embargo", label="May not ask"),
]


class _Key(msgspec.Struct, frozen=True, array_like=True):
    """The permission that a row stands for; its JSON is the row's id."""

    kind: str
    app: str
    permission: str
    scope: str = ""


_Entry = PermissionRecord | Embargo


def _key_of(one: _Entry) -> _Key:
    if isinstance(one, PermissionRecord):
        return _Key("decision", one.app, one.permission, one.scope)
    return _Key("embargo", one.app, one.permission)


class PermissionsPanel:
    name = "permissions"

    def __init__(self, permissions: PermissionRecords) -> None:
        self._permissions = permissions

    async def describe(self, query: PanelQuery) -> PanelContent:
        found = self._permissions.records()
        everything = _fitting(found, query)
        page = _page(everything, query.cursor)
        names = {one.app: one.name for one in page.shown}
        can_revoke = {one.app for one in found.records if one.source == "person"}
        groups = [
            PanelGroup(
                id=app,
                title=visible(name)[:500],
                note=app,
                actions=["revokeAll"] if app in can_revoke else [],
            )
            for app, name in sorted(names.items(), key=lambda pair: (pair[1].casefold(), pair[0]))
        ]
        return PanelContent(
            title="Permissions",
            subtitle="Permissions of apps, granted and refused; each can be taken back.",
            verdict=_verdict(found),
            search=PanelSearch(placeholder="Search apps and permissions", value=query.search),
            filters=[
                PanelFilter(
                    id="state",
                    label="All decisions",
                    options=STATES,
                    value=query.filters.get("state", ""),
                ),
                PanelFilter(
                    id="app",
                    label="All apps",
                    options=_app_options(found),
                    value=query.filters.get("app", ""),
                ),
                PanelFilter(
                    id="source",
                    label="Decided by anybody",
                    options=[
                        PanelOption(value=value, label=text) for value, text in SOURCES.items()
                    ],
                    value=query.filters.get("source", ""),
                ),
            ],
            columns=COLUMNS,
            groups=groups,
            rows=page.rows,
            row_actions=[REVOKE, FORGET, RESET, REVOKE_ALL],
            summary=_summary(page, len(everything)),
            next=page.next,
            previous=page.previous,
            empty=_empty(found),
        )

    async def act(self, action: str, row: str | None, path: Path | None) -> str:
        del path
        if action == "revokeAll" and row is not None:
            count = await self._permissions.revoke(row, None, None)
            return f"{counted(count, 'decision')} taken back."
        key = self._key(row)
        if action == "reset":
            if not await self._permissions.reset_embargo(key.app, key.permission):
                raise DeskbusError(NOT_FOUND, "It may ask already.")
            return "It may ask again."
        if not await self._permissions.revoke(key.app, key.permission, key.scope):
            raise DeskbusError(NOT_FOUND, "That decision is not there any more.")
        return "Revoked." if action == "revoke" else "Forgotten; it may ask again."

    def _key(self, row: str | None) -> _Key:
        """The permission that a row stands for; raises `DeskbusError` (not_found)."""
        found = self._permissions.records()
        for one in _entries(found):
            if _row_id(_key_of(one)) == row:
                return _key_of(one)
        raise DeskbusError(NOT_FOUND, "That decision is not there any more.")


class _Page(NamedTuple):
    """`shown` begins at `start` of all; `next` and `previous` are cursors of other pages."""

    shown: list[_Entry]
    rows: list[PanelRow]
    start: int
    next: str | UnsetType
    previous: str | UnsetType


def _entries(found: PermissionList) -> list[_Entry]:
    return [*found.records, *found.embargoes]


def _fitting(found: PermissionList, query: PanelQuery) -> list[_Entry]:
    """The records that match the filters, in the order in which they are shown."""
    records = [record for record in found.records if _fits(record, query)]
    embargoes = [embargo for embargo in found.embargoes if _fits_embargo(embargo, query)]
    return sorted([*records, *embargoes], key=_order)


def _order(one: _Entry) -> tuple[str, ...]:
    """By app, the decisions of people first, denials behind what is allowed, embargoes last."""
    rank = "5"
    if isinstance(one, PermissionRecord):
        rank = f"{2 * (one.source != 'person') + (not one.allowed)}"
    scope = one.scope if isinstance(one, PermissionRecord) else ""
    return one.name.casefold(), one.app, rank, one.permission, scope


def _digest(one: _Entry) -> str:
    return hashlib.sha256(msgspec.json.encode(_order(one))).hexdigest()


def _page(everything: list[_Entry], cursor: str) -> _Page:
    """From the entry that `cursor` names, as many as one page holds.

    Where that entry is gone meanwhile, from the place that it had.
    """
    place, _, digest = cursor.partition(".")
    start = next((at for at, one in enumerate(everything) if digest == _digest(one)), -1)
    if start < 0:
        start = min(int(place) if place.isdecimal() else 0, max(len(everything) - 1, 0))

    def cursor_of(at: int) -> str:
        return f"{at}.{_digest(everything[at])}"

    rows = _rows(everything[start : start + PAGE_ROWS])
    end = start + len(rows)
    before = everything[max(start - PAGE_ROWS, 0) : start]
    back = len(_rows(before[::-1]))
    return _Page(
        shown=everything[start:end],
        rows=rows,
        start=start,
        next=cursor_of(end) if end < len(everything) else UNSET,
        previous=cursor_of(start - back) if start else UNSET,
    )


def _rows(entries: list[_Entry]) -> list[PanelRow]:
    """As many as fit `PAGE_BYTES`, and one at least."""
    rows: list[PanelRow] = []
    size = 0
    for one in entries:
        row = _record_row(one) if isinstance(one, PermissionRecord) else _embargo_row(one)
        size += len(msgspec.json.encode(row))
        if rows and size > PAGE_BYTES:
            break
        rows.append(row)
    return rows


def _row_id(key: _Key) -> str:
    """The key as JSON; a digest of it where that is longer than an id may be."""
    text = msgspec.json.encode(key)
    return text.decode() if len(text) <= MAX_ID else hashlib.sha256(text).hexdigest()


def _record_row(record: PermissionRecord) -> PanelRow:
    by_person = record.source == "person"
    action = "revoke" if record.allowed else "forget"
    source = SOURCES[record.source]
    return PanelRow(
        id=_row_id(_key_of(record)),
        group=record.app,
        cells=[
            PanelCell(text=record.title, look="strong", note=RISK_WORDS[record.risk]),
            _scope(record),
            PanelCell(
                text="Allowed" if record.allowed else "Denied",
                look="badge",
                tone="good" if record.allowed else "bad",
            ),
            _time(record.since, BRIEFLY[record.source]),
            _until(record),
            _time(record.last_used, "Never" if by_person and record.allowed else ""),
        ],
        actions=[action] if by_person else [],
        details=[
            PanelFact(label="Permission", text=record.permission, look="code"),
            PanelFact(label="Scope", text=visible(record.scope), look="code"),
            PanelFact(label="Risk", text=RISK_WORDS[record.risk], tone=RISK_TONES[record.risk]),
            PanelFact(label="Decided by", text=source),
            PanelFact(label="Holds", text=hold_words(english(), record.holds)),
        ],
    )


def _scope(record: PermissionRecord) -> PanelCell:
    """In words, and as it is; a path says more than the words for it, and a lone word less."""
    words, scope = visible(record.scope_words), visible(record.scope)
    if scope.isalpha():
        return PanelCell(text=words, tone="quiet")
    if record.scope.startswith(("/", "~")):
        return PanelCell(text=scope, note=words)
    return PanelCell(text=words, note=scope)


def _embargo_row(embargo: Embargo) -> PanelRow:
    why = "Closed unanswered" if embargo.because == "dismissed" else "Left unanswered"
    return PanelRow(
        id=_row_id(_key_of(embargo)),
        group=embargo.app,
        cells=[
            PanelCell(text=embargo.title, look="strong"),
            PanelCell(text=why, note="too often to be asked now", tone="quiet"),
            PanelCell(text="May not ask", look="badge", tone="caution"),
            PanelCell(time=embargo.since),
            PanelCell(time=embargo.until),
            PanelCell(),
        ],
        actions=["reset"],
        details=[PanelFact(label="Permission", text=embargo.permission, look="code")],
    )


def _until(record: PermissionRecord) -> PanelCell:
    if not isinstance(record.until, UnsetType):
        return PanelCell(time=record.until)
    return PanelCell(text=hold_words(english(), record.holds), tone="quiet")


def _time(at: int | UnsetType, otherwise: str) -> PanelCell:
    if isinstance(at, UnsetType):
        return PanelCell(text=otherwise, tone="quiet")
    return PanelCell(time=at)


def _words_fit(search: str, *texts: str) -> bool:
    """Whether each word of the search is in one of the texts."""
    everything = "\n".join(texts).casefold()
    return all(word in everything for word in search.casefold().split())


def _fits(record: PermissionRecord, query: PanelQuery) -> bool:
    state = query.filters.get("state", "")
    if state and state != ("allowed" if record.allowed else "denied"):
        return False
    if query.filters.get("app", record.app) != record.app:
        return False
    if query.filters.get("source", record.source) != record.source:
        return False
    texts = (record.app, record.name, record.title, record.permission, record.scope)
    return _words_fit(query.search, *texts, record.scope_words)


def _fits_embargo(embargo: Embargo, query: PanelQuery) -> bool:
    # Nobody decided an embargo, but it comes of what the person at the shell did not answer.
    if query.filters.get("source", "person") != "person":
        return False
    if query.filters.get("state", "embargo") != "embargo":
        return False
    if query.filters.get("app", embargo.app) != embargo.app:
        return False
    return _words_fit(query.search, embargo.app, embargo.name, embargo.title, embargo.permission)


def _verdict(found: PermissionList) -> PanelVerdict | UnsetType:
    risky = sum(1 for one in found.records if one.allowed and one.risk == "high")
    if not risky:
        return UNSET
    needed = "it is" if risky == 1 else "they are"
    return PanelVerdict(
        text=f"{counted(risky, 'permission')} of high risk allowed.",
        detail=f"Have a look at whether {needed} still needed.",
        tone="caution",
    )


def _app_options(found: PermissionList) -> list[PanelOption]:
    names = {one.app: one.name for one in _entries(found)}
    return [
        PanelOption(value=app, label=visible(name)[:500])
        for app, name in sorted(names.items(), key=lambda pair: pair[1].casefold())[:MAX_OPTIONS]
    ]


def _summary(page: _Page, of: int) -> str:
    if len(page.rows) == of:
        return counted(of, "decision")
    first, last = page.start + 1, page.start + len(page.rows)
    return f"{number(first)} to {number(last)} of {counted(of, 'decision')}"


def _empty(found: PermissionList) -> PanelMessage:
    if found.records or found.embargoes:
        return PanelMessage(title="Nothing fits", text="Search for something else.")
    return PanelMessage(
        title="No decisions yet",
        text="Once an app asks for a permission and you answer, it is listed here.",
    )
