"""Asks the person about an app that crashed too often, and has no window to say so in."""

from msgspec import UnsetType

from deskbus.ui.shell import Shell
from deskbus_protocol.apps import AppStatus
from deskbus_protocol.ui import CloseNoticeParams, Notice, ShowNoticeParams
from deskbus_protocol.wording.display import visible


class CrashNotices:
    """One for each app that failed, also for a shell that connects later; it goes with a launch."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._shown: dict[str, Notice] = {}
        shell.on_connected(self._show_all)

    def on_app_changed(self, status: AppStatus) -> None:
        """An app's state has changed."""
        notice = crash_notice(status)
        shown = self._shown.pop(status.app, None)
        if shown is not None and (notice is None or notice.notice != shown.notice):
            self._shell.notify("ui.closeNotice", CloseNoticeParams(notice=shown.notice))
        if notice is not None:
            self._shown[status.app] = notice
            if notice != shown:
                self._shell.notify("ui.showNotice", ShowNoticeParams(descriptor=notice))

    def _show_all(self) -> None:
        for notice in self._shown.values():
            self._shell.notify("ui.showNotice", ShowNoticeParams(descriptor=notice))


def crash_notice(status: AppStatus) -> Notice | None:
    """The notice of a failed app, with a way to restart it; None for other states."""
    crash = status.crash
    if status.state != "failed" or status.windows or isinstance(crash, UnsetType):
        return None
    return Notice(
        # Each failure asks anew, also after a person has dismissed the last one.
        notice=f"app.failed/{status.app}/{crash.at}",
        severity="warning",
        title=f"{visible(status.name)} keeps crashing",
        words=f"{visible(crash.detail)} It has crashed too often, and is not started any more.",
        action="Restart it to try again. The other apps go on.",
        offer="apps.launch",
        app=status.app,
        offer_label="Restart",
        dismiss_label="Leave it",
    )
