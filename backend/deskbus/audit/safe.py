"""What the log keeps outside its own folder: in the keychain's vault, where there is one."""

import msgspec

from deskbus.audit.files import ANCHOR, AuditFolder
from deskbus.storage.newer_format import refuse_newer

VERSION = 1


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The log held `size` records under `root`, and `key` is its verifier key.

    `wrap` seals the key file.
    """

    version: int = VERSION
    key: str
    size: int
    root: bytes
    wrap: bytes = b""


def encode_anchor(anchor: Anchor) -> bytes:
    return msgspec.json.encode(anchor)


def decode_anchor(content: bytes | None) -> Anchor | None:
    """None for none, and for one that is not an anchor; raises `NewerFormatError`."""
    if not content:
        return None
    refuse_newer(content, VERSION, "the audit log's anchor")
    try:
        return msgspec.json.decode(content, type=Anchor)
    except (msgspec.MsgspecError, RecursionError):
        return None


def load_file_anchor(folder: AuditFolder) -> Anchor | None:
    """The anchor beside the log, where no keychain has it. Who can change the one can the other.

    Raises `NewerFormatError`.
    """
    try:
        content = (folder.path / ANCHOR).read_bytes()
    except OSError:
        return None
    return decode_anchor(content)
