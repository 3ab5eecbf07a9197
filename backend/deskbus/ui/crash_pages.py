"""Crash pages: what stands in the place of an app's windows once its process has died."""

from collections.abc import Callable

import structlog
from msgspec import UNSET, UnsetType

from deskbus.languages.catalogue import FALLBACK
from deskbus.languages.language import Language
from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.ui.shell import Shell
from deskbus_protocol.apps import AppStatus, Crash
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.method import Empty
from deskbus_protocol.windows import MAX_LOG_LINES, CrashPage, CrashRestart, ShowCrashParams
from deskbus_protocol.wording.display import visible

SHOW_TIMEOUT_S = 10.0
MAX_LINE = 500
"""Characters of one log line, and of a name."""

DEAD = frozenset({"crashed", "restarting", "failed"})
"""In these states an app's windows stay, and show what happened."""

log = structlog.get_logger()


class CrashPages:
    """Shows a crash page in each window of an app that has died, and how it will go on."""

    def __init__(self, shell: Shell, wall_ms: Callable[[], int]) -> None:
        self._shell = shell
        self._wall_ms = wall_ms
        self._tasks = BackgroundTasks()

    async def run(self) -> None:
        """Shows pages until cancelled."""
        await self._tasks.run()

    def on_app_changed(self, status: AppStatus) -> None:
        """Updates the pages after a change of an app's state."""
        for page in crash_pages(status, self._wall_ms(), self._shell.language):
            self._tasks.start(self._show, page)

    async def _show(self, page: CrashPage) -> None:
        try:
            params = ShowCrashParams(descriptor=page)
            await self._shell.call("ui.showCrash", params, Empty, timeout_s=SHOW_TIMEOUT_S)
        except DeskbusError as error:
            # A window that was closed meanwhile needs no page.
            log.info("crash.not_shown", window=page.window, reason=error.kind.name)


def crash_pages(status: AppStatus, now_ms: int, language: Language) -> list[CrashPage]:
    """A page for each window of an app that has died; none for one that has not.

    Where only what draws one window has died, and it comes back, the others go on as they are.
    """
    crash = status.crash
    if status.state not in DEAD or isinstance(crash, UnsetType):
        return []
    return [
        CrashPage(
            window=window,
            app=status.app,
            name=_line(status.name),
            cause=crash.cause,
            at=crash.at,
            exit_code=crash.exit_code,
            signal=crash.signal,
            detail=crash_detail(crash, language)[:MAX_LINE] or UNSET,
            uptime_ms=max(0, crash.uptime_ms),
            sample=crash.sample,
            log=[_line(line) for line in crash.log[-MAX_LOG_LINES:]],
            restart=_restart(status, now_ms),
        )
        for window in status.windows
        if status.state != "restarting" or crash.window in (window, UNSET)
    ]


def crash_detail(crash: Crash, language: Language) -> str:
    """The reason of a crash, which is recorded in English.

    In other languages the limit that was exceeded; of other causes the page has words itself.
    """
    if language.code == FALLBACK:
        return _line(crash.detail)
    if isinstance(crash.limit, UnsetType):
        return ""
    return language.text(f"crash.limit.{crash.limit}")


def _restart(status: AppStatus, now_ms: int) -> CrashRestart:
    attempt = status.restarts + 1
    if status.state == "failed":
        return CrashRestart(state="loop", attempt=attempt)
    if status.state == "restarting" and not isinstance(status.restart_in, UnsetType):
        return CrashRestart(state="scheduled", at=now_ms + status.restart_in, attempt=attempt)
    return CrashRestart(state="manual", attempt=attempt)


def _line(text: str) -> str:
    return visible(text.replace("\t", "    "))[:MAX_LINE]
