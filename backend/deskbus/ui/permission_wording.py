"""Permissions in plain words."""

from typing import NamedTuple

from deskbus_protocol.permissions import PermissionEntry, Risk
from deskbus_protocol.ui import Remember, RememberChoice
from deskbus_protocol.wording.duration import REMEMBER_WORDS
from deskbus_protocol.wording.scope_words import is_everything, scope_words

PASSING: tuple[Remember, ...] = ("once", "session")


class Wording(NamedTuple):
    """`statement` is what is asked, `scope` for what exactly, `detail` what saying yes means."""

    statement: str
    scope: str
    detail: str
    risk: Risk


def describe(app_name: str, entry: PermissionEntry, scope: str) -> Wording:
    """Words for a person who doesn't know what a topic is; to want everything is a high risk."""
    return Wording(
        statement=entry.statement.replace("{app}", app_name),
        scope=scope_words(entry, scope),
        detail=entry.detail.replace("{app}", app_name),
        risk="high" if is_everything(entry, scope) else entry.risk,
    )


def choices(*, may_remember: bool) -> list[RememberChoice]:
    """For how long an answer can hold."""
    return [
        RememberChoice(id=remember, label=label)
        for remember, label in REMEMBER_WORDS.items()
        if may_remember or remember in PASSING
    ]
