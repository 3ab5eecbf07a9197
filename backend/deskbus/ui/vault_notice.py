"""Tells the shell and the person at it what has become of the vault."""

import os
import shlex
from pathlib import Path

from deskbus.ui.shell import Shell
from deskbus_protocol.secrets import VaultChangedParams, VaultStatus
from deskbus_protocol.ui import CloseNoticeParams, Notice, ShowNoticeParams
from deskbus_protocol.wording.display import visible


class VaultNotice:
    """Says it when it changes, and to a shell that connects later.

    Whoever has read a notice does not see it again: the shell shows one of a name once a session.
    """

    def __init__(self, shell: Shell, data_dir: Path) -> None:
        self._shell = shell
        self._data_dir = data_dir
        self._status: VaultStatus | None = None
        self._shown: Notice | None = None
        shell.on_connected(self._tell)

    def changed(self, status: VaultStatus) -> None:
        self._status = status
        self._tell()

    def _tell(self) -> None:
        if self._status is None:
            return
        self._shell.notify("vault.changed", VaultChangedParams(status=self._status))
        notice = notice_of(self._status, self._data_dir)
        if self._shown is not None and (notice is None or notice.notice != self._shown.notice):
            self._shell.notify("ui.closeNotice", CloseNoticeParams(notice=self._shown.notice))
        if notice is not None:
            self._shell.notify("ui.showNotice", ShowNoticeParams(descriptor=notice))
        self._shown = notice


def notice_of(status: VaultStatus, data_dir: Path) -> Notice | None:
    """The notice for a person; None where secrets are kept and accessible."""
    if status.state == "memory":
        return Notice(
            notice="vault.memory",
            severity="warning",
            title="Secrets are not kept",
            words="No keychain was found on this computer. Passwords and tokens that apps store "
            "are held in memory, and are gone when this program ends.",
            action="Set up a keychain; or close this program and choose a master password:",
            command=visible(
                f"deskbus vault change-password --data-dir {shlex.quote(_printable(data_dir))}"
            ),
        )
    if status.state == "locked":
        words = f"Apps can't read the secrets that they keep: {visible(status.detail)}."
        return Notice(
            notice="vault.locked",
            severity="warning",
            title="The vault is locked",
            words=f"{words} Nothing is lost or overwritten.",
            action="Type the master password to open it."
            if status.needs_password
            else "Unlock your keychain if it is locked, then try again here.",
            offer="vault.unlock",
            asks_password=status.needs_password,
            offer_label="Unlock" if status.needs_password else "Try again",
        )
    return None


def _printable(folder: Path) -> str:
    """A name that is not UTF-8 can't be sent; its other bytes are shown as escapes."""
    return os.fsencode(folder).decode(errors="backslashreplace")
