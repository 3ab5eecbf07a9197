"""Keeps the newest size and root of the log, and the key of its keys, where the log is not.

That is the keychain's vault. Without a keychain it is a file beside the log, which then protects
against accidents only: whoever can write the log can write the anchor.
"""

import secrets
from collections.abc import Callable

import structlog
from anyio import to_thread

from deskbus.audit.files import ANCHOR, AuditFolder
from deskbus.audit.keyfile import WRAP_BYTES, KeyFile, KeyFileError
from deskbus.audit.safe import (
    Anchor,
    Safe,
    decode_anchor,
    encode_anchor,
    load_file_anchor,
)
from deskbus_protocol.errors import DeskbusError

log = structlog.get_logger()


class Anchorage:
    def __init__(
        self, folder: AuditFolder, safe: Safe, keys: KeyFile, has_keychain: Callable[[], bool]
    ) -> None:
        """`has_keychain` blocks, and asks nobody."""
        self._has_keychain = has_keychain
        self._folder = folder
        self._safe = safe
        self._keys = keys
        self.anchor: Anchor | None = None
        self.problem = ""

    @property
    def sealed(self) -> bool:
        """Whether the keychain guards the log's keys."""
        return self._keys.sealed

    @property
    def place(self) -> str:
        return "the keychain" if self.sealed else f"the file {ANCHOR}"

    async def open(self, *, may_make: bool = False) -> bool:
        """Whether the log's keys can be had now; a keychain that is locked may have them later.

        With `may_make`, a vault that does not exist is made, where there is a keychain for it.
        """
        wanted = self._safe.exists or (
            may_make and await to_thread.run_sync(self._has_keychain, abandon_on_cancel=True)
        )
        if not wanted:
            return await to_thread.run_sync(self._open_without_safe)
        try:
            content = await self._safe.load()
        except DeskbusError as error:
            self.problem = f"its keys wait for the vault: {error.message}"
            return await to_thread.run_sync(self._open_without_safe)
        self.problem = ""
        self.anchor = decode_anchor(content)
        if self.anchor is None or not self.anchor.wrap:
            beside = await to_thread.run_sync(load_file_anchor, self._folder)
            self.anchor = await self._add_wrap(self.anchor or beside) or beside
        if self.anchor is not None and self.anchor.wrap:
            self._keys.rewrap(self.anchor.wrap)
        return True

    async def save(self, key: str, size: int, root: bytes) -> None:
        """Raises `OSError`, `DeskbusError`."""
        wrap = self.anchor.wrap if self.anchor else b""
        anchor = Anchor(key=key, size=size, root=root, wrap=wrap)
        if self.sealed:
            await self._safe.save(encode_anchor(anchor))
        else:
            content = encode_anchor(anchor)
            await to_thread.run_sync(self._folder.replace, ANCHOR, content)
        self.anchor = anchor

    async def _add_wrap(self, before: Anchor | None) -> Anchor | None:
        """The anchor with a key for the key file, once the keychain has it; None without one."""
        anchor = Anchor(
            key=before.key if before else "",
            size=before.size if before else 0,
            root=before.root if before else b"",
            wrap=secrets.token_bytes(WRAP_BYTES),
        )
        try:
            kept = await self._safe.save(encode_anchor(anchor))
        except DeskbusError as error:
            log.warning("audit.no_keychain", reason=error.message)
            return None
        return anchor if kept else None

    def _open_without_safe(self) -> bool:
        """A key file that is not sealed, or none yet, needs no keychain."""
        try:
            self._keys.load()
        except (KeyFileError, OSError):
            return False
        self.anchor = load_file_anchor(self._folder)
        return True
