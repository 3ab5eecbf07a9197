"""Permissions in plain words, and names made safe to read."""

import unicodedata
from typing import Literal, NamedTuple

from deskbus_protocol.permissions import Grant

Risk = Literal["low", "medium", "high"]

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Wording(NamedTuple):
    """`statement` is what is asked, `detail` what saying yes means."""

    statement: str
    detail: str
    risk: Risk


def describe(app_name: str, grant: Grant) -> Wording:
    """Words for a person who doesn't know what a topic is."""
    everything = grant.scope == "#"
    if grant.permission == "messaging.read":
        return Wording(
            f"{app_name} wants to read messages"
            + (" of every app." if everything else " on these topics."),
            "It will see what other apps publish there, from now on, until you take this back.",
            "high" if everything else "medium",
        )
    if grant.permission == "messaging.write":
        return Wording(
            f"{app_name} wants to send messages"
            + (" to every app." if everything else " on these topics."),
            "Other apps that listen there will receive what it sends, and may act on it.",
            "high" if everything else "medium",
        )
    if grant.permission == "secrets":
        return Wording(
            f"{app_name} wants to keep secrets of its own, encrypted.",
            "It can store passwords and tokens here, and read its own again; no other app's.",
            "low",
        )
    return Wording(
        f"{app_name} wants to send messages to another app.",
        "The other app will receive what it sends, and may act on it.",
        "medium",
    )


def visible(text: str) -> str:
    """`text` with control, bidi and zero-width characters written as their code points."""
    return "".join(
        f"\\u{{{ord(char):x}}}" if unicodedata.category(char) in _INVISIBLE else char
        for char in text
    )
