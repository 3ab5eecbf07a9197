"""Times as a person types them."""

from datetime import datetime

from deskbus.commands.arguments.numbers import MAX_COUNT


def unix_ms(text: str) -> int:
    """Unix milliseconds, or an ISO 8601 time; raises `ValueError`."""
    try:
        if text.isascii() and text.isdecimal():
            found = int(text)
        else:
            found = int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        found = -1
    if not 0 <= found <= MAX_COUNT:
        raise ValueError(f"{text} is no time; use Unix milliseconds or ISO 8601, from 1970 on")
    return found
