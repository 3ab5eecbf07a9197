"""CRC-32C (Castagnoli, RFC 3720 appendix B.4) of what the log writes and reads."""

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


def crc32c(data: Buffer, before: int = 0) -> int:
    """The checksum of `data`, or of it behind what has the checksum `before`."""
    return _loaded()(data, before)


@cache
def _loaded() -> Callable[[Buffer, int], int]:
    # The package looks up its own version at import, which takes milliseconds; a start writes
    # nothing.
    from crc32c import crc32c as function

    return function
