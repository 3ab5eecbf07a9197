"""Passwords for commands: typed on a terminal, or read from a descriptor; never an argument."""

import getpass
import os
import sys

from deskbus.commands.terminal.failures import MisuseError
from deskbus.vault.keys.master_password import MAX_BYTES, WeakPasswordError, check_strength


class NoPasswordError(MisuseError):
    """There is no terminal to ask on, no descriptor was given, or what came is no password."""


def on_terminal() -> bool:
    """Whether there is a terminal to ask on; standard input may be closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def read_password(
    words: str, descriptor: int | None, *, new: bool = False, option: str = "--password-fd"
) -> bytearray:
    """One password, to be wiped by the caller; one end of line is not a part of it.

    A new one must be strong enough, and is asked for twice on a terminal. `option` is the one that
    names a descriptor for it. Raises `NoPasswordError`.
    """
    if descriptor is not None:
        given = _from(descriptor, option)
    elif on_terminal():
        given = _typed(words, new=new)
    else:
        raise NoPasswordError(
            f"there is no terminal to ask for the {words.lower()} on",
            f"Give it with {option} N, as in: {option} 3 3<FILE",
        )
    checked = _checked(given)
    if new:
        try:
            check_strength(checked)
        except WeakPasswordError as error:
            raise NoPasswordError(str(error)) from None
    return checked


def _typed(words: str, *, new: bool) -> bytearray:
    try:
        first = getpass.getpass(f"{words}: ")
        if not first or (new and getpass.getpass(f"{words}, again: ") != first):
            raise NoPasswordError("no password, or two different ones, were typed")
    except EOFError:
        raise NoPasswordError("no password was typed") from None
    # Input of a terminal that is not UTF-8 is refused below, rather than here.
    return bytearray(first.encode("utf-8", "surrogateescape"))


def _from(descriptor: int, option: str) -> bytearray:
    try:
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            given = bytearray()
            # To its end: half of a password would open nothing, and seal for good.
            while len(given) <= MAX_BYTES + 2 and (part := file.read(MAX_BYTES)):
                given += part
    except (OSError, OverflowError):
        raise NoPasswordError(
            f"{option} {descriptor}: the descriptor can't be read",
            f"Open it for the command, as in: {option} {descriptor} {descriptor}<FILE",
        ) from None
    for end in (b"\n", b"\r"):
        given = given.removesuffix(end)
    if not given:
        raise NoPasswordError(f"{option} {descriptor}: the password's descriptor is empty")
    return given


def _checked(given: bytearray) -> bytearray:
    if len(given) > MAX_BYTES:
        raise NoPasswordError(f"a password has {MAX_BYTES} bytes at most")
    try:
        given.decode()
    except UnicodeDecodeError:
        raise NoPasswordError("a password is text in UTF-8") from None
    return given
