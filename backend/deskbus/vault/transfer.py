"""The vault's content in one file under a password, for a move to another machine."""

import hashlib

import msgspec

from deskbus.vault.cipher import Context, SealError, new_key, new_key_id, open_sealed, seal, wipe
from deskbus.vault.homes import PasswordHome
from deskbus.vault.keyset import MAX_HEAD_BYTES, Head
from deskbus.vault.records import Name, Progress
from deskbus.vault.vault import Vault

_MAGIC = b"deskbus vault export 1\n"
_PLACE = "export"


def export_vault(vault: Vault, password: bytearray) -> bytes:
    """Every record of an unlocked vault; no key of the vault's own is in it."""
    values = [(name, value) for name in vault.names() if (value := vault.get(name)) is not None]
    plain = bytearray(msgspec.msgpack.encode(values))
    key_id, key, home = new_key_id(), new_key(), PasswordHome.new(password)
    try:
        head = msgspec.json.encode(home.head(_PLACE, key_id, key))
        body = seal(key_id, key, _context(head), plain)
    finally:
        home.leave()
        wipe(key)
        wipe(plain)
    return _MAGIC + len(head).to_bytes(4) + head + body


def import_vault(
    vault: Vault, file: bytes, password: bytearray, progress: Progress | None = None
) -> int:
    """Takes every record in, in place of those of the same name; answers with their number.

    After a crash either all of them are in the vault or none. Raises `SealError` for another
    password or a changed file, before anything is written.
    """
    start = len(_MAGIC) + 4
    length = int.from_bytes(file[len(_MAGIC) : start])
    if not file.startswith(_MAGIC) or length > MAX_HEAD_BYTES:
        raise SealError
    head = file[start : start + length]
    try:
        home, key = PasswordHome.open(msgspec.json.decode(head, type=Head), password)
        plain = open_sealed(key, _context(head), file[start + length :])
        values = msgspec.msgpack.decode(plain, type=list[tuple[Name, bytes]])
    except (msgspec.MsgspecError, RecursionError):
        raise SealError from None
    home.leave()
    wipe(key)
    vault.put_all(values, progress)
    return len(values)


def _context(head: bytes) -> Context:
    return Context(_PLACE, "", hashlib.sha256(head).hexdigest(), 0)
