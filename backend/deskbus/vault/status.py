"""The vault's status on the wire."""

import msgspec

from deskbus_protocol.secrets import VaultState


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`closed` until something is needed; `memory` where no keychain is: gone at the end.

    Times are Unix milliseconds.
    """

    state: VaultState
    detail: str = ""
    kek_provider: str | None = None
    strength: str | None = None
    records: int | None = None
    outdated: int | None = None
    kek_rotated_ms: int | None = None
    keys_rotated_ms: int | None = None
