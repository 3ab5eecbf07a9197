"""Asks the person about an app that crashed too often, and has no window to say so in."""

from msgspec import UnsetType

from deskbus.languages.language import Language
from deskbus.ui.crash_pages import crash_detail
from deskbus.ui.shell import Shell
from deskbus_protocol.apps import AppStatus
from deskbus_protocol.ui import CloseNoticeParams, Notice, ShowNoticeParams
from deskbus_protocol.wording.display import visible


class CrashNotices:
    """One for each app that failed, also for a shell that connects later; it goes with a launch."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._failed: dict[str, AppStatus] = {}
        shell.on_connected(self._show_all)

    def on_app_changed(self, status: AppStatus) -> None:
        """Updates the notices after a change of an app's state."""
        notice = self._notice_of(status)
        before = self._failed.pop(status.app, None)
        shown = None if before is None else self._notice_of(before)
        if shown is not None and (notice is None or notice.notice != shown.notice):
            self._shell.notify("ui.closeNotice", CloseNoticeParams(notice=shown.notice))
        if notice is not None:
            self._failed[status.app] = status
            if notice != shown:
                self._shell.notify("ui.showNotice", ShowNoticeParams(descriptor=notice))

    def _show_all(self) -> None:
        """In the language of the shell that has come."""
        for status in self._failed.values():
            notice = self._notice_of(status)
            if notice is not None:
                self._shell.notify("ui.showNotice", ShowNoticeParams(descriptor=notice))

    def _notice_of(self, status: AppStatus) -> Notice | None:
        return crash_notice(status, self._shell.language)


def crash_notice(status: AppStatus, language: Language) -> Notice | None:
    """The notice of a failed app, with a way to restart it; None for other states."""
    crash = status.crash
    if status.state != "failed" or status.windows or isinstance(crash, UnsetType):
        return None
    return Notice(
        # Each failure asks anew, also after a person has dismissed the last one.
        notice=f"app.failed/{status.app}/{crash.at}",
        severity="warning",
        title=language.text("crash.notice.title", name=visible(status.name)),
        words=f"{crash_detail(crash, language)} {language.text('crash.notice.words')}".strip(),
        action=language.text("crash.notice.action"),
        offer="apps.launch",
        app=status.app,
        offer_label=language.text("page.crash.restart"),
        dismiss_label=language.text("crash.notice.leave"),
    )
