"""`vault.*`: what the shell, or a person at the command line, does with the vault."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import anyio
from msgspec import UnsetType, structs

from deskbus.contracts.audit_sink import AuditSink, committed
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.vault.service import VaultService
from deskbus_protocol.errors import INVALID_PARAMS, DeskbusError
from deskbus_protocol.events import (
    AuditEvent,
    ConfigSecretChanged,
    VaultExported,
    VaultImported,
    VaultLocked,
    VaultRotated,
    VaultUnlocked,
)
from deskbus_protocol.method import NoParams
from deskbus_protocol.secrets import (
    DeletedResult,
    ExportResult,
    ImportResult,
    NewPasswordParams,
    RotateParams,
    SecretParams,
    SetSecretParams,
    TransferParams,
    UnlockParams,
    UseKeychainParams,
    VaultResult,
)


class VaultHandlers:
    """A change is in the audit log before it is made; one that then fails is told there as well."""

    def __init__(
        self,
        vault: VaultService,
        trail: AuditSink,
        log_is_open: Callable[[], bool],
        by_person: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Within `by_person` a change of the vault's state is a person's, and recorded here."""
        self._vault = vault
        self._trail = trail
        self._log_is_open = log_is_open
        self._by_person = by_person

    def table(self) -> Mapping[str, Handler]:
        return {
            "vault.status": self._status,
            "vault.unlock": self._unlock,
            "vault.rotate": self._rotate,
            "vault.lock": self._lock,
            "vault.changePassword": self._change_password,
            "vault.useKeychain": self._use_keychain,
            "vault.useSafeStorage": self._use_safe_storage,
            "vault.setSecret": self._set_config,
            "vault.deleteSecret": self._delete_config,
            "vault.export": self._export,
            "vault.import": self._import,
        }

    async def _status(self, _: Call, __: NoParams) -> VaultResult:
        return VaultResult(status=self._vault.status())

    async def _unlock(self, call: Call, params: UnlockParams) -> VaultResult:
        before = self._vault.status()
        password = None if isinstance(params.password, UnsetType) else params.password
        if before.state == "unlocked":
            await self._vault.unlock(password)
            return VaultResult(status=before)
        kek_provider = "master password" if before.needs_password else "keychain"
        if self._vault.needs_shell:
            kek_provider = "safeStorage"
        event = VaultUnlocked(app=call.identity.app, actor="person", kek_provider=kek_provider)
        with self._by_person():
            if self._log_is_open():
                async with committed(self._trail, event):
                    await self._vault.unlock(password)
            else:
                # The log's own keys are in the vault: it can tell of this only once that is open.
                await self._vault.unlock(password)
                await self._commit_or_lock(event)
        status = self._vault.status()
        if status.state == "memory":
            self._trail.note(structs.replace(event, reason="failed: there is no keychain"))
        return VaultResult(status=status)

    async def _commit_or_lock(self, event: AuditEvent) -> None:
        try:
            await self._trail.commit(event)
        except BaseException:  # what is not recorded does not stand; nor does a cancelled call
            # Records in memory alone can't be locked; they were open before.
            with anyio.CancelScope(shield=True), suppress(DeskbusError):
                await self._vault.lock()
            raise

    async def _rotate(self, call: Call, params: RotateParams) -> VaultResult:
        async with committed(self._trail, self._rotation(call, params.what)):
            await self._vault.rotate(
                kek=params.what != "keys",
                keys=params.what != "kek",
                reseal=params.reseal,
                progress=lambda done, total: call.progress(f"{done} of {total} records"),
            )
        return VaultResult(status=self._vault.status())

    def _rotation(self, call: Call, what: str) -> VaultRotated:
        records = self._vault.status().records
        return VaultRotated(app=call.identity.app, actor="person", what=what, records=records)

    async def _lock(self, call: Call, _: NoParams) -> VaultResult:
        event = VaultLocked(app=call.identity.app, actor="person", reason="a person locked it")
        with self._by_person():
            async with committed(self._trail, event):
                await self._vault.lock()
        return VaultResult(status=self._vault.status())

    async def _change_password(self, call: Call, params: NewPasswordParams) -> VaultResult:
        async with committed(self._trail, self._rotation(call, "password")):
            await self._vault.use_password(params.new_password)
        return VaultResult(status=self._vault.status())

    async def _use_keychain(self, call: Call, params: UseKeychainParams) -> VaultResult:
        async with committed(self._trail, self._rotation(call, "keychain")):
            await self._vault.use_keychain(
                None if isinstance(params.keychain, UnsetType) else params.keychain
            )
        return VaultResult(status=self._vault.status())

    async def _use_safe_storage(self, call: Call, _: NoParams) -> VaultResult:
        async with committed(self._trail, self._rotation(call, "safeStorage")):
            await self._vault.use_safe_storage()
        return VaultResult(status=self._vault.status())

    async def _set_config(self, call: Call, params: SetSecretParams) -> VaultResult:
        if not params.value:
            raise DeskbusError(INVALID_PARAMS, "A secret of the configuration is not empty.")
        changed = ConfigSecretChanged(app=call.identity.app, actor="person", name=params.name)
        async with committed(self._trail, changed):
            await self._vault.put_config(params.name, params.value)
        return VaultResult(status=self._vault.status())

    async def _delete_config(self, call: Call, params: SecretParams) -> DeletedResult:
        if not await self._vault.has_config(params.name):
            return DeletedResult(deleted=False)
        changed = ConfigSecretChanged(
            app=call.identity.app, actor="person", name=params.name, deleted=True
        )
        async with committed(self._trail, changed):
            deleted = await self._vault.delete_config(params.name)
        return DeletedResult(deleted=deleted)

    async def _export(self, call: Call, params: TransferParams) -> ExportResult:
        file, records = _absolute(params.file), self._vault.status().records
        exported = VaultExported(app=call.identity.app, actor="person", records=records)
        async with committed(self._trail, exported):
            left_out = await self._vault.export(file, params.password)
        return ExportResult(left_out=left_out, status=self._vault.status())

    async def _import(self, call: Call, params: TransferParams) -> ImportResult:
        file = _absolute(params.file)
        coming = await self._vault.count_in(file, params.password)
        imported = VaultImported(app=call.identity.app, actor="person", records=coming)
        async with committed(self._trail, imported):
            records = await self._vault.import_records(
                file,
                params.password,
                lambda done, total: call.progress(f"{done} of {total} records"),
            )
        return ImportResult(records=records, status=self._vault.status())


def _absolute(file: str) -> Path:
    """Raises `DeskbusError`: a relative one would be below the backend's own working folder."""
    path = Path(file)
    if not path.is_absolute() or "\0" in file:
        raise DeskbusError(INVALID_PARAMS, "The file is to be named by its absolute path.")
    return path
