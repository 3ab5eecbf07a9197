"""The two that can do a vault command: the backend that runs, and the command itself."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from deskbus.commands.terminal.failures import CommandError
from deskbus.commands.terminal.progress_bar import show_progress
from deskbus.storage.regular_file import open_regular_file
from deskbus.vault.cipher import SealError
from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.records.vault_archive import export_vault, import_vault
from deskbus.vault.service import wire_status
from deskbus.vault.vault import Vault
from deskbus_protocol.client import Client
from deskbus_protocol.secrets import (
    DeletedResult,
    ExportResult,
    ImportResult,
    VaultResult,
    VaultStatus,
)

ANSWER_WITHIN_S = 600.0
"""The keychain may ask a person, and every record may be sealed anew."""

_PROGRESS = re.compile(r"(\d{1,15}) of (\d{1,15}) records")


class VaultAccess(Protocol):
    """Raises `CommandError` or `DeskbusError` where the vault is locked or was changed."""

    name: str
    """The name recorded as `doneBy`."""

    async def status(self) -> VaultStatus: ...

    async def unlock(self, password: bytearray | None) -> None: ...

    async def lock(self) -> None: ...

    async def rotate(self, *, kek: bool, keys: bool, reseal: bool) -> None: ...

    async def use_password(self, password: bytearray) -> None: ...

    async def use_keychain(self, name: str | None) -> None: ...

    async def use_safe_storage(self) -> None: ...

    async def put(self, name: str, value: bytes) -> None: ...

    async def delete(self, name: str) -> bool:
        """Whether there was such a secret."""
        ...

    async def export(self, file: Path, password: bytearray) -> int:
        """The number of records that were changed from outside, and left out."""
        ...

    async def import_from(self, file: Path, password: bytearray) -> None: ...


class VaultThroughBackend:
    """Asks the backend that has the vault."""

    name = "backend"

    def __init__(self, client: Client) -> None:
        self._client = client
        client.observe("$/progress", _show_progress)

    async def status(self) -> VaultStatus:
        answer: VaultResult = await self._call("vault.status")
        return answer.status

    async def unlock(self, password: bytearray | None) -> None:
        await self._call("vault.unlock", {} if password is None else {"password": _text(password)})

    async def lock(self) -> None:
        await self._call("vault.lock")

    async def rotate(self, *, kek: bool, keys: bool, reseal: bool) -> None:
        what = "all" if kek and keys else "kek" if kek else "keys"
        await self._call("vault.rotate", {"what": what, "reseal": reseal})

    async def use_password(self, password: bytearray) -> None:
        await self._call("vault.changePassword", {"newPassword": _text(password)})

    async def use_keychain(self, name: str | None) -> None:
        await self._call("vault.useKeychain", {} if name is None else {"keychain": name})

    async def use_safe_storage(self) -> None:
        await self._call("vault.useSafeStorage")

    async def put(self, name: str, value: bytes) -> None:
        await self._call("vault.setSecret", {"name": name, "value": value.decode()})

    async def delete(self, name: str) -> bool:
        answer: DeletedResult = await self._call(
            "vault.deleteSecret", {"name": name}, DeletedResult
        )
        return answer.deleted

    async def export(self, file: Path, password: bytearray) -> int:
        answer: ExportResult = await self._call(
            "vault.export", {"file": str(file), "password": _text(password)}, ExportResult
        )
        return answer.left_out

    async def import_from(self, file: Path, password: bytearray) -> None:
        await self._call(
            "vault.import", {"file": str(file), "password": _text(password)}, ImportResult
        )

    async def _call(self, method: str, params: object = None, result: Any = VaultResult) -> Any:
        return await self._client.call(method, params, result=result, timeout_s=ANSWER_WITHIN_S)


class VaultOnDisk:
    """Opens the vault's files; to be used while it is claimed."""

    name = "command"

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def status(self) -> VaultStatus:
        return wire_status(self._vault)

    async def unlock(self, password: bytearray | None) -> None:
        with _as_command_errors():
            self._vault.unlock(password)

    async def lock(self) -> None:
        """Does nothing, since no process has the vault's keys."""

    async def rotate(self, *, kek: bool, keys: bool, reseal: bool) -> None:
        with _as_command_errors():
            if kek:
                self._vault.rotate_kek()
            if keys:
                self._vault.rotate_keys(reseal=reseal, progress=show_progress)

    async def use_password(self, password: bytearray) -> None:
        with _as_command_errors():
            self._vault.use_password(password)

    async def use_keychain(self, name: str | None) -> None:
        with _as_command_errors():
            self._vault.use_keychain(name)

    async def use_safe_storage(self) -> None:
        with _as_command_errors():
            self._vault.use_safe_storage()

    async def put(self, name: str, value: bytes) -> None:
        with _as_command_errors():
            if self._vault.state == "memory":
                raise VaultLockedError(
                    "there is no keychain; deskbus vault change-password makes a vault"
                )
            self._vault.put(Name("config", "", name), value)

    async def delete(self, name: str) -> bool:
        with _as_command_errors():
            return self._vault.delete(Name("config", "", name))

    async def export(self, file: Path, password: bytearray) -> int:
        with _as_command_errors():
            return export_vault(self._vault, file, password)

    async def import_from(self, file: Path, password: bytearray) -> None:
        with _as_command_errors("the password of the export is wrong, or the file was changed"):
            if self._vault.state == "memory":
                raise VaultLockedError(
                    "there is no keychain; deskbus vault change-password makes a vault"
                )
            with open_regular_file(file) as exported:  # nothing else runs meanwhile
                import_vault(self._vault, exported, password, show_progress)


@contextmanager
def _as_command_errors(
    changed: str = "a record of the vault was changed from outside; all others were done",
) -> Iterator[None]:
    """The vault's own errors as a person's."""
    try:
        yield
    except VaultLockedError as error:
        raise CommandError(f"the vault is locked: {error.why}") from None
    except SealError:
        raise CommandError(changed) from None


def _text(password: bytearray) -> str:
    return password.decode()


def _show_progress(params: Raw) -> None:
    progress = msgspec.json.decode(params)
    found = _PROGRESS.fullmatch(str(progress.get("text"))) if isinstance(progress, dict) else None
    if found:
        show_progress(int(found[1]), int(found[2]))
