"""Scopes in plain words, for a person who knows no topic, path or origin."""

from deskbus_protocol.display import visible
from deskbus_protocol.permissions import PermissionEntry
from deskbus_protocol.topics import is_wildcard


def scope_words(entry: PermissionEntry, scope: str) -> str:
    """The meaning of `scope`, as a phrase that can stand by itself."""
    shown = visible(scope)
    match entry.scope:
        case "topics":
            return _topics(scope, shown)
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
    everything = {"topics": "#", "path": "/", "origin": "*"}
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
