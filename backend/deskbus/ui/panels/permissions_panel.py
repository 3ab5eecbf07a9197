"""The settings panel: permissions of every app, and their revocation."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from deskbus.contracts.permission_records import PermissionRecords
from deskbus.languages.language import Language, english, language_for
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

PAGE_ROWS = 300
PAGE_BYTES = 1 << 20
"""Size of one page's rows, encoded: far below a frame's limit, however long scopes are."""


MAX_OPTIONS = 500
"""A filter offers no more than a descriptor may have; the search finds every app."""


MAX_ID = 512


RISK_TONES: dict[Risk, Tone] = {"low": "good", "medium": "caution", "high": "bad"}
SOURCES = ("person", "policy", "config")
STATES = ("allowed", "denied", "embargo")
COLUMNS = {"permission": 5, "scope": 6, "decision": 0, "since": 4, "until": 4, "used": 4}
"""The weights of the columns."""

WORDS = "panel.permissions."


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
        self._language = english()
        """The language in which it was last shown, and so in which an action is answered."""

    async def describe(self, query: PanelQuery) -> PanelContent:
        language = self._language = language_for(query.locale)
        found = self._permissions.records(language)
        everything = _fitting(found, query)
        page = _page(everything, query.cursor, language)
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
            title=language.text(WORDS + "title"),
            subtitle=language.text(WORDS + "subtitle"),
            verdict=_verdict(found, language),
            search=PanelSearch(placeholder=language.text(WORDS + "search"), value=query.search),
            filters=_filters(found, query, language),
            columns=[
                PanelColumn(id=name, title=language.text(f"{WORDS}column.{name}"), weight=weight)
                for name, weight in COLUMNS.items()
            ],
            groups=groups,
            rows=page.rows,
            row_actions=_row_actions(language),
            summary=_summary(page, len(everything), language),
            next=page.next,
            previous=page.previous,
            empty=_empty(found, language),
        )

    async def act(self, action: str, row: str | None, path: Path | None) -> str:
        del path
        if action == "revokeAll" and row is not None:
            count = await self._permissions.revoke(row, None, None)
            return self._language.text(WORDS + "revoked-all", count=count)
        key = self._key(row)
        if action == "reset":
            if not await self._permissions.reset_embargo(key.app, key.permission):
                raise DeskbusError(NOT_FOUND, "It may ask already.")
            return self._language.text(WORDS + "reset-done")
        if not await self._permissions.revoke(key.app, key.permission, key.scope):
            raise DeskbusError(NOT_FOUND, "That decision is not there any more.")
        return self._language.text(WORDS + ("revoked" if action == "revoke" else "forgotten"))

    def _key(self, row: str | None) -> _Key:
        """The permission that a row stands for; raises `DeskbusError` (not_found)."""
        found = self._permissions.records(self._language)
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


def _page(everything: list[_Entry], cursor: str, language: Language) -> _Page:
    """From the entry that `cursor` names, as many as one page holds.

    Where that entry is gone meanwhile, from the place that it had.
    """
    place, _, digest = cursor.partition(".")
    start = next((at for at, one in enumerate(everything) if digest == _digest(one)), -1)
    if start < 0:
        start = min(int(place) if place.isdecimal() else 0, max(len(everything) - 1, 0))

    def cursor_of(at: int) -> str:
        return f"{at}.{_digest(everything[at])}"

    rows = _rows(everything[start : start + PAGE_ROWS], language)
    end = start + len(rows)
    before = everything[max(start - PAGE_ROWS, 0) : start]
    back = len(_rows(before[::-1], language))
    return _Page(
        shown=everything[start:end],
        rows=rows,
        start=start,
        next=cursor_of(end) if end < len(everything) else UNSET,
        previous=cursor_of(start - back) if start else UNSET,
    )


def _rows(entries: list[_Entry], language: Language) -> list[PanelRow]:
    """As many as fit `PAGE_BYTES`, and one at least."""
    rows: list[PanelRow] = []
    size = 0
    for one in entries:
        if isinstance(one, PermissionRecord):
            row = _record_row(one, language)
        else:
            row = _embargo_row(one, language)
        size += len(msgspec.json.encode(row))
        if rows and size > PAGE_BYTES:
            break
        rows.append(row)
    return rows


def _row_id(key: _Key) -> str:
    """The key as JSON; a digest of it where that is longer than an id may be."""
    text = msgspec.json.encode(key)
    return text.decode() if len(text) <= MAX_ID else hashlib.sha256(text).hexdigest()


def _record_row(record: PermissionRecord, language: Language) -> PanelRow:
    by_person = record.source == "person"
    action = "revoke" if record.allowed else "forget"
    state = "allowed" if record.allowed else "denied"
    risk = language.text(f"{WORDS}risk.{record.risk}")

    def fact(label: str, text: str, **options: Any) -> PanelFact:
        return PanelFact(label=language.text(f"{WORDS}fact.{label}"), text=text, **options)

    briefly = "" if by_person else language.text(f"{WORDS}briefly.{record.source}")
    unused = language.text(WORDS + "never") if by_person and record.allowed else ""
    return PanelRow(
        id=_row_id(_key_of(record)),
        group=record.app,
        cells=[
            PanelCell(text=record.title, look="strong", note=risk),
            _scope(record),
            PanelCell(
                text=language.text(f"{WORDS}state.{state}"),
                look="badge",
                tone="good" if record.allowed else "bad",
            ),
            _time(record.since, briefly),
            _until(record, language),
            _time(record.last_used, unused),
        ],
        actions=[action] if by_person else [],
        details=[
            fact("permission", record.permission, look="code"),
            fact("scope", visible(record.scope), look="code"),
            fact("risk", risk, tone=RISK_TONES[record.risk]),
            fact("source", language.text(f"{WORDS}source.{record.source}")),
            fact("holds", hold_words(language, record.holds)),
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


def _embargo_row(embargo: Embargo, language: Language) -> PanelRow:
    why = "dismissed" if embargo.because == "dismissed" else "unanswered"
    return PanelRow(
        id=_row_id(_key_of(embargo)),
        group=embargo.app,
        cells=[
            PanelCell(text=embargo.title, look="strong"),
            PanelCell(
                text=language.text(f"{WORDS}embargo.{why}"),
                note=language.text(WORDS + "embargo.note"),
                tone="quiet",
            ),
            PanelCell(text=language.text(WORDS + "state.embargo"), look="badge", tone="caution"),
            PanelCell(time=embargo.since),
            PanelCell(time=embargo.until),
            PanelCell(),
        ],
        actions=["reset"],
        details=[
            PanelFact(
                label=language.text(WORDS + "fact.permission"),
                text=embargo.permission,
                look="code",
            )
        ],
    )


def _until(record: PermissionRecord, language: Language) -> PanelCell:
    if not isinstance(record.until, UnsetType):
        return PanelCell(time=record.until)
    return PanelCell(text=hold_words(language, record.holds), tone="quiet")


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


def _row_actions(language: Language) -> list[PanelAction]:
    def words(name: str) -> str:
        return language.text(f"{WORDS}action.{name}")

    return [
        PanelAction(id="revoke", label=words("revoke"), style="danger"),
        PanelAction(id="forget", label=words("forget")),
        PanelAction(id="reset", label=words("reset")),
        PanelAction(
            id="revokeAll",
            label=words("revoke-all"),
            style="danger",
            confirm=words("revoke-all-question"),
            confirm_label=words("revoke-all"),
        ),
    ]


def _filters(found: PermissionList, query: PanelQuery, language: Language) -> list[PanelFilter]:
    def options(kind: str, values: Iterable[str]) -> list[PanelOption]:
        return [
            PanelOption(value=value, label=language.text(f"{WORDS}{kind}.{value}"))
            for value in values
        ]

    choices = {
        "state": options("state", STATES),
        "app": _app_options(found),
        "source": options("source", SOURCES),
    }
    return [
        PanelFilter(
            id=name,
            label=language.text(f"{WORDS}filter.{name}"),
            options=values,
            value=query.filters.get(name, ""),
        )
        for name, values in choices.items()
    ]


def _verdict(found: PermissionList, language: Language) -> PanelVerdict | UnsetType:
    risky = sum(1 for one in found.records if one.allowed and one.risk == "high")
    if not risky:
        return UNSET
    return PanelVerdict(
        text=language.text(WORDS + "risky", count=risky),
        detail=language.text(WORDS + "risky-detail", count=risky),
        tone="caution",
    )


def _app_options(found: PermissionList) -> list[PanelOption]:
    names = {one.app: one.name for one in _entries(found)}
    return [
        PanelOption(value=app, label=visible(name)[:500])
        for app, name in sorted(names.items(), key=lambda pair: pair[1].casefold())[:MAX_OPTIONS]
    ]


def _summary(page: _Page, of: int, language: Language) -> str:
    if len(page.rows) == of:
        return language.text(WORDS + "count", count=of)
    first, last = page.start + 1, page.start + len(page.rows)
    return language.text(WORDS + "range", first=first, last=last, count=of)


def _empty(found: PermissionList, language: Language) -> PanelMessage:
    which = "nothing-fits" if found.records or found.embargoes else "nothing-yet"
    return PanelMessage(
        title=language.text(f"{WORDS}{which}"), text=language.text(f"{WORDS}{which}-text")
    )
