"""Tells the shell and the person at it what has become of the vault."""

import os
import shlex
from pathlib import Path

from deskbus.languages.catalogue import FALLBACK
from deskbus.languages.language import Language
from deskbus.ui.shell import Shell
from deskbus_protocol.secrets import VaultChangedParams, VaultStatus
from deskbus_protocol.ui import CloseNoticeParams, Notice, ShowNoticeParams
from deskbus_protocol.wording.display import visible


class VaultNotice:
    """Says it when it changes, and to a shell that connects later.

    A notice that was read does not come again: the shell shows one of a name once a session.
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
        notice = notice_of(self._status, self._data_dir, self._shell.language)
        if self._shown is not None and (notice is None or notice.notice != self._shown.notice):
            self._shell.notify("ui.closeNotice", CloseNoticeParams(notice=self._shown.notice))
        if notice is not None:
            self._shell.notify("ui.showNotice", ShowNoticeParams(descriptor=notice))
        self._shown = notice


def notice_of(status: VaultStatus, data_dir: Path, language: Language) -> Notice | None:
    """The notice for a person; None where secrets are kept and accessible."""
    if status.state == "memory":
        return Notice(
            notice="vault.memory",
            severity="warning",
            title=language.text("vault.memory.title"),
            words=language.text("vault.memory.words"),
            action=language.text("vault.memory.action"),
            dismiss_label=language.text("page.notice.dismiss"),
            command=visible(
                f"deskbus vault change-password --data-dir {shlex.quote(_printable(data_dir))}"
            ),
        )
    if status.state == "locked":
        key = "vault.locked.password" if status.needs_password else "vault.locked.keychain"
        return Notice(
            notice="vault.locked",
            severity="warning",
            title=language.text("vault.locked.title"),
            words=_locked(status, language),
            action=language.text(f"{key}.action"),
            dismiss_label=language.text("page.notice.dismiss"),
            offer="vault.unlock",
            asks_password=status.needs_password,
            offer_label=language.text(f"{key}.offer"),
        )
    return None


def _locked(status: VaultStatus, language: Language) -> str:
    """The reason stands in English, which is the language of the vault's own words."""
    if language.code == FALLBACK:
        return language.text("vault.locked.because", reason=visible(status.detail))
    return language.text("vault.locked.words")


def _printable(folder: Path) -> str:
    """A name that is not UTF-8 can't be sent; its other bytes are shown as escapes."""
    return os.fsencode(folder).decode(errors="backslashreplace")
