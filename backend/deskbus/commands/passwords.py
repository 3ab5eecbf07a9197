"""Passwords for commands: typed on a terminal, or read from a descriptor; never an argument."""

import getpass
import os
import sys

MAX_BYTES = 1024
"""As `vault.unlock` takes it."""


class NoPasswordError(Exception):
    """There is no terminal to ask on, no descriptor was given, or what came is no password."""


def read_password(words: str, descriptor: int | None, *, new: bool = False) -> bytearray:
    """One password, to be wiped by the caller; one end of line is not a part of it.

    A new one is asked for twice on a terminal. Raises `NoPasswordError`.
    """
    if descriptor is not None:
        return _from(descriptor)
    if not sys.stdin.isatty():
        raise NoPasswordError("no terminal to ask for a password on; use --password-fd")
    first = getpass.getpass(f"{words}: ")
    if not first or (new and getpass.getpass(f"{words}, again: ") != first):
        raise NoPasswordError("no password, or two different ones, were typed")
    return _checked(bytearray(first.encode()))


def _from(descriptor: int) -> bytearray:
    try:
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            given = bytearray()
            # To its end: half of a password would open nothing, and seal for good.
            while len(given) <= MAX_BYTES + 2 and (part := file.read(MAX_BYTES)):
                given += part
    except OSError:
        raise NoPasswordError("the password's descriptor can't be read") from None
    for end in (b"\n", b"\r"):
        given = given.removesuffix(end)
    if not given:
        raise NoPasswordError("the password's descriptor is empty")
    return _checked(given)


def _checked(given: bytearray) -> bytearray:
    if len(given) > MAX_BYTES:
        raise NoPasswordError(f"a password has {MAX_BYTES} bytes at most")
    try:
        given.decode()
    except UnicodeDecodeError:
        raise NoPasswordError("a password is text in UTF-8") from None
    return given
