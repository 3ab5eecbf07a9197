"""UserInterface: the shell, and all that it draws for a person."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deskbus.components.backend_run import BackendRun
from deskbus.contracts.listeners import Listeners
from deskbus.storage.clocks import wall_ms
from deskbus.ui.consent_dialogs import ConsentDialogs
from deskbus.ui.crash_notices import CrashNotices
from deskbus.ui.crash_pages import CrashPages
from deskbus.ui.panels.panels import Panels
from deskbus.ui.shell import Shell
from deskbus.ui.vault_notice import VaultNotice
from deskbus.ui.windows import WindowPlaces
from deskbus_protocol.apps import AppChangedParams, AppStatus
from deskbus_protocol.secrets import VaultStatus


class UserInterface:
    def __init__(self, run: BackendRun) -> None:
        self._loops = run.loops
        self.shell = Shell()
        self.dialogs = ConsentDialogs(
            self.shell,
            timeout_s=run.settings.config.consent.timeout_s,
            monotonic_s=time.monotonic,
        )
        self.panels = Panels(self.shell)
        self.window_moved = Listeners[str]()
        """Tells of each window whose place has changed."""

        self.window_places = WindowPlaces(self.window_moved)
        self._crash_pages = CrashPages(self.shell, wall_ms)
        self._crash_notices = CrashNotices(self.shell)
        self._vault_notice = VaultNotice(self.shell, run.settings.data_dir.absolute())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._loops.running(self.panels.run, self._crash_pages.run):
            yield

    def app_changed(self, status: AppStatus) -> None:
        self.shell.tell("apps.changed", status.app, AppChangedParams(status=status))
        self._crash_pages.on_app_changed(status)
        self._crash_notices.on_app_changed(status)

    def vault_changed(self, status: VaultStatus) -> None:
        self._vault_notice.changed(status)
