"""Durable content that a later version of deskbus wrote: told as such, and left as it is."""

import re

import msgspec

ACTION = "Install the newer deskbus, or use another data folder."


class NewerFormatError(OSError):
    """A later version of deskbus wrote this: it is neither damaged nor ours to change.

    `words` are for people, and tell of `what` was found, such as "the keyset".
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.words = f"{what} was written by a newer deskbus: install it, or use another folder"
        super().__init__(None, self.words)


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
