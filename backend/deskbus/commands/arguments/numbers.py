"""Numbers as a person types them, for argparse."""

from argparse import ArgumentTypeError
from math import isfinite

MAX_COUNT = 2**53
"""JSON's numbers are exact up to here."""

MAX_SECONDS = 86_400.0


def count(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def descriptor(text: str) -> int:
    """A file descriptor, from 0."""
    return _whole(text, 0)


def sequence(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def seconds(text: str) -> float:
    """From 0 to a day."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not isfinite(value) or not 0 <= value <= MAX_SECONDS:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {MAX_SECONDS:.0f}")
    return value


def some_seconds(text: str) -> float:
    """More than 0, up to a day."""
    value = seconds(text)
    if not value:
        raise ArgumentTypeError("0 seconds are too few")
    return value


def _whole(text: str, least: int) -> int:
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
    if not least <= value <= MAX_COUNT:
        raise ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return value
