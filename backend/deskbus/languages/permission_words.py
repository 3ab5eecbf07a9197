"""Permissions, their scopes, and for how long they hold, in words for a person."""

from urllib.parse import unquote

import msgspec

from deskbus.languages.language import Language
from deskbus_protocol.permissions import PermissionEntry
from deskbus_protocol.topics import is_wildcard
from deskbus_protocol.ui import Remember
from deskbus_protocol.wording.display import visible

REMEMBER: tuple[Remember, ...] = ("once", "session", "month", "always")
"""Those of `Holds` are among them: a month is `always` with an end."""

_PATTERNS = {"topics": "#", "contexts": "#", "intents": "#", "choices": "#"}
_EVERYTHING = {**_PATTERNS, "path": "/", "origin": "*"}


def worded(language: Language, entry: PermissionEntry) -> PermissionEntry:
    """The entry with all its words, and `{app}` where the app's name goes."""
    return msgspec.structs.replace(
        entry,
        title=permission_title(language, entry),
        statement=permission_statement(language, entry, "{app}"),
        detail=permission_detail(language, entry, "{app}"),
    )


def permission_title(language: Language, entry: PermissionEntry) -> str:
    """The words of the configuration where it brought the permission, else of the catalogue."""
    return entry.title or language.text(f"permission.{entry.name}.title")


def permission_statement(language: Language, entry: PermissionEntry, app_name: str) -> str:
    """The request, as one sentence."""
    if entry.statement:
        return language.filled(entry.statement, app=app_name)
    return language.text(f"permission.{entry.name}.statement", app=app_name)


def permission_detail(language: Language, entry: PermissionEntry, app_name: str) -> str:
    """The consequence of saying yes."""
    if entry.detail:
        return language.filled(entry.detail, app=app_name)
    return language.text(f"permission.{entry.name}.detail")


def hold_words(language: Language, holds: str) -> str:
    """The duration of a decision in words; a term unknown to this version stays as it is."""
    return language.text(f"holds.{holds}") if holds in REMEMBER else holds


def is_everything(entry: PermissionEntry, scope: str) -> bool:
    """Whether nothing of its kind is left out."""
    return _EVERYTHING.get(entry.scope) == scope


def scope_words(language: Language, entry: PermissionEntry, scope: str) -> str:
    """The meaning of `scope`, as a phrase that can stand by itself."""
    shown = visible(scope)
    match entry.scope:
        case "topics":
            return _topics(language, scope, shown)
        case "contexts":
            return _contexts(language, scope)
        case "intents":
            return _intents(language, scope)
        case "choices":
            return _choices(language, scope)
        case "app":
            return language.text("scope.app", app=shown)
        case "path":
            return language.text("scope.path.all" if scope == "/" else "scope.path.below")
        case "origin":
            return _origins(language, scope, shown)
        case "word":
            return shown
        case "fixed":
            return language.text("scope.fixed.own" if scope == "own" else "scope.fixed.all")


def kind_words(language: Language, kind: str) -> str:
    """A context type of FDC3 2.2 (Context Data), within a sentence."""
    if kind in ("#", ""):
        return language.text("context.all")
    if language.has(f"context.{kind}"):
        return language.text(f"context.{kind}")
    return language.text("context.of-type", type=visible(unquote(kind)))


def _topics(language: Language, scope: str, shown: str) -> str:
    if scope == "#":
        return language.text("scope.topics.all")
    if not is_wildcard(scope):
        return language.text("scope.topics.one", topic=shown)
    beginning = scope.removesuffix(".#")
    if beginning != scope and not is_wildcard(beginning):
        return language.text("scope.topics.below", topic=visible(beginning))
    return language.text("scope.topics.pattern", pattern=shown)


def _contexts(language: Language, scope: str) -> str:
    """A channel and a context type, as in `fdc3%2Echannel%2E1.fdc3.instrument`."""
    if scope == "#":
        return language.text("scope.contexts.all")
    channel, _, kind = scope.partition(".")
    data = kind_words(language, kind)
    data = data[:1].upper() + data[1:]
    if channel == "*":
        return language.text("scope.contexts.every-channel", data=data)
    return language.text("scope.contexts.channel", data=data, channel=visible(unquote(channel)))


def _choices(language: Language, scope: str) -> str:
    """An intent, the app that takes it, and a type, as in `ViewChart.Chart.fdc3.contact`."""
    intent, _, rest = scope.partition(".")
    app, _, kind = rest.partition(".")
    if not kind:
        return language.text("scope.choices.all")
    taker = language.text("scope.choices.any-app") if app == "*" else visible(unquote(app))
    what = _intents(language, f"{intent}.{kind}")
    return language.text("scope.choices.app", app=taker, what=what)


def _intents(language: Language, scope: str) -> str:
    """An intent and a context type, as in `ViewChart.fdc3.instrument`."""
    if scope == "#":
        return language.text("scope.intents.all")
    intent, _, kind = scope.partition(".")
    data = kind_words(language, kind)
    if intent == "*":
        return language.text("scope.intents.every-intent", data=data)
    return language.text("scope.intents.intent", intent=visible(unquote(intent)), data=data)


def _origins(language: Language, scope: str, shown: str) -> str:
    if scope == "*":
        return language.text("scope.origin.all")
    scheme, wild, host = shown.partition("://*.")
    plain = scheme in ("http", "ws") or shown.startswith(("http:", "ws:"))
    secure = "no" if plain else "yes"
    if wild:
        return language.text("scope.origin.below", host=host, encrypted=secure)
    return language.text("scope.origin.one", host=shown.partition("://")[2], encrypted=secure)
