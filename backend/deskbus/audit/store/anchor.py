"""Keeps the newest size and root of the log, and the key of its keys, where the log is not.

That is the keychain's vault. Without a keychain it is a file beside the log, which then protects
against accidents only: whoever can write the log can write the anchor.
"""

import contextlib
import secrets
from collections.abc import Callable

import anyio
import msgspec
import structlog
from anyio import to_thread

from deskbus.audit.store.audit_folder import ANCHOR, KEYS, AuditFolder
from deskbus.audit.store.key_file import WRAP_BYTES, KeyFile, is_sealed
from deskbus.audit.verify.verifier import NO_KEYCHAIN, NOT_YET, Unanchored, unread
from deskbus.config import AUDIT_FOLDER
from deskbus.contracts.sealed_value import SealedValue
from deskbus.storage.newer_format import NewerFormatError, refuse_newer
from deskbus_protocol.errors import NEWER_FORMAT, DeskbusError

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
    """The anchor beside the log, where no keychain has it.

    A process that can change the one can change the other.

    Raises `NewerFormatError`.
    """
    try:
        content = (folder.path / ANCHOR).read_bytes()
    except OSError:
        return None
    return decode_anchor(content)


VAULT_GONE = (
    "its keys are sealed in the vault, and the vault is gone: put it back, or move the folder"
    f" {AUDIT_FOLDER} elsewhere to begin a new log"
)


log = structlog.get_logger()


class AnchorKeeper:
    def __init__(
        self,
        folder: AuditFolder,
        sealed_anchor: SealedValue,
        keys: KeyFile,
        has_keychain: Callable[[], bool],
    ) -> None:
        """`has_keychain` blocks, and asks nobody."""
        self._has_keychain = has_keychain
        self._folder = folder
        self._sealed_anchor = sealed_anchor
        self._keys = keys
        self._turn = anyio.Lock()
        self.anchor: Anchor | None = None
        self.found: Anchor | None = None
        """The anchor that the vault held when it opened."""
        self.problem = ""
        self.newer: NewerFormatError | None = None
        """Set where a later version wrote the keys or the anchor: the log must not be opened."""

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
        True also where they are a later version's: `newer` is set then.
        """
        try:
            async with self._turn:
                return await self._open(may_make=may_make)
        except NewerFormatError as error:
            self.newer = error
            return True

    async def _open(self, *, may_make: bool) -> bool:
        self.problem = ""
        wanted = self._sealed_anchor.exists or (
            may_make and await to_thread.run_sync(self._has_keychain, abandon_on_cancel=True)
        )
        if not wanted:
            return await to_thread.run_sync(self._open_without_safe)
        try:
            content = await self._sealed_anchor.load()
        except DeskbusError as error:
            self.problem = f"its keys wait for the vault: {error.message}"
            opened = await to_thread.run_sync(self._open_without_safe)
            if not opened and error.kind is NEWER_FORMAT:
                raise NewerFormatError("the vault that keeps the audit log's keys") from None
            return opened
        self.found = self.anchor = decode_anchor(content)
        if self.anchor is None or not self.anchor.wrap:
            beside = await to_thread.run_sync(load_file_anchor, self._folder)
            self.anchor = await self._add_wrap(self.anchor or beside) or beside
        if self.anchor is not None and self.anchor.wrap:
            self._keys.rewrap(self.anchor.wrap)
            # The vault has it from here on; a leftover would vouch for a log that was cut back.
            await to_thread.run_sync(self._remove_file)
        return True

    @property
    def unanchored(self) -> Unanchored | None:
        """Why nothing outside of the folder vouches for the log's end; None where the vault does.

        An anchor that the vault told in this run stays known when the vault is locked again.
        """
        if self.sealed and self.anchor is not None and self.anchor.key:
            return None
        if self.sealed:
            return NOT_YET
        if self._sealed_anchor.exists:
            return unread(self.problem or "nothing has opened it yet")
        return NO_KEYCHAIN

    def _remove_file(self) -> None:
        with contextlib.suppress(OSError):  # it is tried again at the next start
            (self._folder.path / ANCHOR).unlink(missing_ok=True)

    async def save(self, key: str, size: int, root: bytes) -> None:
        """Raises `OSError`, `DeskbusError`."""
        async with self._turn:
            await self._save(key, size, root)

    async def _save(self, key: str, size: int, root: bytes) -> None:
        wrap = self.anchor.wrap if self.anchor else b""
        anchor = Anchor(key=key, size=size, root=root, wrap=wrap)
        if self.sealed:
            await self._sealed_anchor.save(encode_anchor(anchor))
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
            kept = await self._sealed_anchor.save(encode_anchor(anchor))
        except DeskbusError as error:
            log.warning("audit.no_keychain", reason=error.message)
            return None
        return anchor if kept else None

    def _open_without_safe(self) -> bool:
        """A key file that is not sealed, or none yet, needs no keychain."""
        try:
            sealed = is_sealed(self._folder.path / KEYS)
        except NewerFormatError:
            raise
        except OSError:
            sealed = False  # whoever opens the log finds the same, tells it and tries again
        if sealed:
            self.problem = self.problem or VAULT_GONE
            return False
        self.anchor = load_file_anchor(self._folder)
        return True
