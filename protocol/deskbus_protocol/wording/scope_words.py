"""Scopes in plain words, for a person who knows no topic, path or origin."""

from urllib.parse import unquote

from deskbus_protocol.permissions import PermissionEntry
from deskbus_protocol.topics import is_wildcard
from deskbus_protocol.wording.display import visible


def scope_words(entry: PermissionEntry, scope: str) -> str:
    """The meaning of `scope`, as a phrase that can stand by itself."""
    shown = visible(scope)
    match entry.scope:
        case "topics":
            return _topics(scope, shown)
        case "contexts":
            return _contexts(scope)
        case "intents":
            return _intents(scope)
        case "app":
            return f"The app {shown}"
        case "path":
            return "Every file on this computer" if scope == "/" else "This, and all that is in it"
        case "origin":
            return _origins(scope, shown)
        case "word":
            return shown
        case "fixed":
            return (
                "Its own, no other app’s"
                if scope == "own"
                else "All of it: there is no smaller part"
            )


def is_everything(entry: PermissionEntry, scope: str) -> bool:
    """Whether nothing of its kind is left out."""
    everything = {"topics": "#", "path": "/", "origin": "*", "contexts": "#", "intents": "#"}
    return everything.get(entry.scope) == scope


def _topics(scope: str, shown: str) -> str:
    if scope == "#":
        return "Every topic of every app"
    if not is_wildcard(scope):
        return f"The topic {shown}"
    beginning = scope.removesuffix(".#")
    if beginning != scope and not is_wildcard(beginning):
        return f"Everything under {visible(beginning)}"
    return f"Every topic of the form {shown}"


CONTEXT_WORDS = {
    "fdc3.chart": "charts",
    "fdc3.contact": "contacts",
    "fdc3.contactList": "lists of contacts",
    "fdc3.country": "countries",
    "fdc3.currency": "currencies",
    "fdc3.instrument": "instruments",
    "fdc3.instrumentList": "lists of instruments",
    "fdc3.order": "orders",
    "fdc3.organization": "organizations",
    "fdc3.portfolio": "portfolios",
    "fdc3.position": "positions",
    "fdc3.product": "products",
    "fdc3.trade": "trades",
    "fdc3.valuation": "valuations",
}
"""The standard's context types (FDC3 2.2, Context Data) of which a person has heard."""


def _contexts(scope: str) -> str:
    """A channel and a context type, as in `fdc3%2Echannel%2E1.fdc3.instrument`."""
    channel, _, kind = scope.partition(".")
    if scope == "#":
        return "All data on all channels"
    place = "all channels" if channel == "*" else f"the channel {visible(unquote(channel))}"
    return f"{_sentence(_kind_words(kind))} on {place}"


def _intents(scope: str) -> str:
    """An intent and a context type, as in `ViewChart.fdc3.instrument`."""
    intent, _, kind = scope.partition(".")
    if scope == "#":
        return "Whatever apps can do, with all data"
    action = "Whatever apps can do" if intent == "*" else f"{visible(unquote(intent))}"
    return f"{action}, with {_kind_words(kind)}"


def _kind_words(kind: str) -> str:
    if kind in ("#", ""):
        return "all data"
    return CONTEXT_WORDS.get(kind, f"data of the type {visible(unquote(kind))}")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _origins(scope: str, shown: str) -> str:
    if scope == "*":
        return "Every site"
    scheme, wild, host = shown.partition("://*.")
    plain = (
        " (not encrypted)" if scheme in ("http", "ws") or shown.startswith(("http:", "ws:")) else ""
    )
    if wild:
        return f"Every site under {host}{plain}"
    return f"The site {shown.partition('://')[2]}{plain}"
