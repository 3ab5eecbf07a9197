"""Times as a person types them."""

from datetime import datetime


def unix_ms(text: str) -> int:
    """Unix milliseconds, or an ISO 8601 time; raises `ValueError`."""
    if text.isdigit():
        return int(text)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise ValueError("this is no time; use Unix milliseconds or ISO 8601") from None
