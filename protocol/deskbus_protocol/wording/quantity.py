"""Numbers in words for people: grouped by thousands, with a noun in the right number."""


def number(value: int) -> str:
    """With commas between thousands: `1,234`."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str = "") -> str:
    """`1 record`, `1,234 records`. `plural` is for nouns that take more than an s."""
    return f"{number(value)} {noun if value == 1 else plural or f'{noun}s'}"
