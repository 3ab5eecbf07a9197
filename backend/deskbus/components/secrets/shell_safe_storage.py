"""ShellSafeStorage: Electron's safeStorage for the vault's thread, asked of over the shell link."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

import anyio
import structlog

from deskbus.reliability.loops import Loops
from deskbus.ui.shell import Shell
from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.keys.safe_storage import NO_SHELL, Opened, Sealed
from deskbus.vault.service import VaultService
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.secrets import (
    OpenedKey,
    OpenKeyParams,
    SealedKey,
    SealKeyParams,
)

ASK_WITHIN_S = 60.0
"""The operating system may ask a person before safeStorage has its key."""

WEAK_STORES = frozenset({"basic_text", "unknown", ""})
"""Stores that encrypt with a key that everybody knows, or that can't be told."""

log = structlog.get_logger()


class ShellSafeStorage:
    """To be made in the event loop, and asked on other threads."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._loop = asyncio.get_running_loop()

    @property
    def connected(self) -> bool:
        return self._shell.connected

    def encrypt(self, text: str) -> Sealed:
        found = self._ask("vault.sealKey", SealKeyParams(text=text), SealedKey)
        if found.store in WEAK_STORES:
            raise VaultLockedError(
                f"safeStorage has no keychain behind it here ({found.store or 'unknown'})"
            )
        return Sealed(_bytes(found.sealed), found.store)

    def decrypt(self, ciphertext: bytes) -> Opened:
        params = OpenKeyParams(sealed=base64.b64encode(ciphertext).decode())
        found = self._ask("vault.openKey", params, OpenedKey)
        return Opened(found.text, found.stale)

    def _ask(self, method: str, params: object, result: type[Any]) -> Any:
        """Raises `VaultLockedError`."""
        if not self._shell.connected:
            raise VaultLockedError(NO_SHELL)
        call: Coroutine[Any, Any, Any] = self._shell.call(
            method, params, result, timeout_s=ASK_WITHIN_S
        )
        answer: Future[Any] = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return answer.result(ASK_WITHIN_S + 1)
        except DeskbusError as error:
            raise VaultLockedError(f"safeStorage: {error.message.rstrip('.')}") from None
        except TimeoutError:
            answer.cancel()
            raise VaultLockedError("safeStorage did not answer") from None


class UnlockByShell:
    """Opens a vault that was wanted while no shell was there to open it."""

    def __init__(self, shell: Shell, vault: VaultService, loops: Loops) -> None:
        self._vault = vault
        self._loops = loops
        self._came = anyio.Event()
        shell.on_connected(self._note)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._loops.running(self._open):
            yield

    def _note(self) -> None:
        self._came.set()

    async def _open(self) -> None:
        while True:
            await self._came.wait()
            self._came = anyio.Event()
            try:
                await self._vault.shell_came()
            except DeskbusError as error:
                log.warning("vault.still_locked", reason=error.message)


def _bytes(text: str) -> bytes:
    """Raises `VaultLockedError` for what is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise VaultLockedError("safeStorage's ciphertext is damaged") from None
