"""Durable content that a later version of deskbus wrote: told as such, and left as it is."""

import re

import msgspec

from deskbus_protocol.errors import NEWER_FORMAT, DeskbusError

NEWER = "was written by a newer deskbus"


class NewerFormatError(OSError):
    """A later version of deskbus wrote this: it is neither damaged nor ours to change.

    `words` are for people, and tell of `what` was found, such as "the keyset".
    """

    def __init__(self, what: str) -> None:
        words = f"{what} {NEWER}: install it, or use another data folder"
        super().__init__(None, words)
        self.what, self.words = what, words

    def to_wire(self) -> DeskbusError:
        found = self.what[:1].upper() + self.what[1:]
        return DeskbusError(NEWER_FORMAT, f"{found} {NEWER}, and is left as it is.")


class _Version(msgspec.Struct, frozen=True):
    version: int = 0


def refuse_newer(content: bytes, known: int, what: str) -> None:
    """Raises `NewerFormatError` for a JSON object whose `version` is beyond `known`."""
    try:
        found = msgspec.json.decode(content, type=_Version)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if found.version > known:
        raise NewerFormatError(what)


def refuse_newer_magic(content: bytes, known: bytes, what: str) -> None:
    """Raises `NewerFormatError` where `content` begins as `known` does, with a higher number.

    A magic is words, a number and a newline: `deskbus keyset 1`.
    """
    words, _, number = known.removesuffix(b"\n").rpartition(b" ")
    found = re.match(re.escape(words) + rb" ([0-9]{1,9})\n", content)
    if found and int(found[1]) > int(number):
        raise NewerFormatError(what)
