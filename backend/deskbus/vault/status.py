"""What the vault says of itself."""

from typing import Literal

import msgspec

State = Literal["closed", "unlocked", "locked", "memory"]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`closed` until something is needed; `memory` where no keychain is: gone at the end.

    Times are Unix milliseconds.
    """

    state: State
    detail: str = ""
    home: str | None = None
    strength: str | None = None
    records: int | None = None
    outdated: int | None = None
    kek_rotated_ms: int | None = None
    keys_rotated_ms: int | None = None
