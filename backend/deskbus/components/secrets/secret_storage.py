"""SecretStorage: the vault, the places that have its key, and the news of its state."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deskbus.components.backend_run import BackendRun
from deskbus.components.secrets.shell_safe_storage import ShellSafeStorage, UnlockByShell
from deskbus.config import VAULT_FOLDER
from deskbus.contracts.listeners import AsyncListeners, Listeners
from deskbus.observability.logs.secret_filter import SecretFilter
from deskbus.ui.shell import Shell
from deskbus.vault.keys.keyset import Purpose
from deskbus.vault.service import VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol.secrets import VaultStatus


class SecretStorage:
    """`changed` tells of each change of the vault's state, `damaged` of a record that was refused.

    `logged` learns the secrets, so that no line of the log has one; it forgets them at a lock.
    """

    def __init__(self, run: BackendRun, shell: Shell, logged: SecretFilter) -> None:
        self.changed = Listeners[VaultStatus]()
        self.damaged = AsyncListeners[Purpose | None]()
        self.keys = Vault(run.settings.data_dir / VAULT_FOLDER, safe=ShellSafeStorage(shell))
        self.vault = VaultService(
            self.keys, self.changed, on_refused=self.damaged, passes=logged.learn
        )
        self._unlock = UnlockByShell(shell, self.vault, run.loops)
        self._logged = logged
        self.changed.add(self._forget)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.vault.running(), self._unlock.running():
            yield

    def _forget(self, status: VaultStatus) -> None:
        if status.state == "locked":
            self._logged.forget()
