"""AppStateMachine: the states of one app. Pure: facts come in, orders go out."""

from collections import Counter, deque
from typing import Protocol

from msgspec import UNSET

from deskbus.processes.policy.exit_status import (
    Ending,
    ExitStatus,
    excess_words,
    out_of_files,
    renderer_words,
)
from deskbus.processes.policy.limit_policy import UNITS, Excess, LimitVerdict
from deskbus.processes.policy.liveness import Missed
from deskbus.processes.policy.restart_policy import RestartPolicy
from deskbus.processes.spec import AppSpec
from deskbus_protocol.apps import AppState, Crash, LimitName
from deskbus_protocol.events import (
    AppCrashed,
    AppLaunched,
    AppLimited,
    AppReady,
    AppRestarted,
    AppTerminated,
    AppUnresponsive,
    AuditEvent,
)

ASKED = Ending(None, "It was asked to end.")
CRASHES_KEPT = 10

ALIVE: frozenset[AppState] = frozenset({"starting", "ready", "degraded", "unresponsive"})


class AppActions(Protocol):
    """The orders of an app's state machine. None of them waits, or calls it back."""

    def changed(self) -> None:
        """Tells others of its status."""

    def record(self, event: AuditEvent) -> None: ...

    def expect_beats(self) -> None:
        """Holds the ready process to the deadline of its signs of life."""

    def end_process(self, ending: Ending) -> None:
        """Ends the process with its tree at once; the end comes back as `process_ended`."""

    def ask_to_end(self) -> None:
        """Ends the app as a person would."""

    def restart_after(self, delay_s: float) -> None: ...

    def cancel_restart(self) -> None: ...

    def report(self, status: ExitStatus, exit_code: int | None, window: str | None) -> Crash:
        """The report of a crash that is not the end of the app's own process."""


class AppStateMachine:
    """Times are monotonic seconds. `pid` is None while no process of the app runs."""

    def __init__(self, spec: AppSpec, actions: AppActions, restart_policy: RestartPolicy) -> None:
        self.state: AppState = "stopped"
        self.windows: list[str] = []
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.detail: str | None = None
        self.crash: Crash | None = None
        self.crashes: deque[Crash] = deque(maxlen=CRASHES_KEPT)
        """Its last crashes in this run of the backend, oldest first."""
        self.ending: Ending | None = None
        """Why its process is being ended."""

        self.restart_policy = restart_policy
        self.restarts_in_all = 0
        self.limit_kills: Counter[LimitName] = Counter()
        """How often a limit ended it, since the start of the backend."""

        self._spec = spec
        self._actions = actions
        self._is_ready = False
        self._warned = False
        self._trouble: str | None = None
        self._started_at_s = 0.0

    @property
    def is_alive(self) -> bool:
        return self.state in ALIVE

    # Its start.

    def launched(self) -> None:
        """A person launches it: crashes of before no longer count."""
        self._actions.cancel_restart()
        if self.pid is None:
            self.restart_policy.launched()

    def start_begins(self, now_s: float) -> None:
        if not self.is_alive:
            self.detail = self._trouble = None
            self._set("starting")
            self.restart_policy.started(now_s)

    def process_started(self, pid: int, now_s: float) -> None:
        self.pid, self._started_at_s = pid, now_s
        self.exit_code = self.ending = None
        self._is_ready = self._warned = False
        self._actions.record(AppLaunched(app=self._spec.app, pid=pid))

    def window_opened(self, window: str) -> None:
        if window not in self.windows:
            self.windows.append(window)

    def instance_opened(self, window: str) -> None:
        """Counts one more window of a running app."""
        self.window_opened(window)
        self._set(self.state)

    def start_ends(self, now_s: float) -> None:
        """Notes that all parts have started; where its manifest says so, the app itself reports
        readiness.
        """
        if self.state != "starting":
            return
        if self.pid is None:
            if self._spec.process is None:
                self._settle()
        elif self._counts_as_ready:
            self._become_ready(now_s)
        else:
            self._set("starting")

    def windows_failed(self, now_s: float) -> None:
        """Its process runs, but the shell did not show what belongs to it."""
        if self.pid is not None and self.state == "starting" and self._counts_as_ready:
            self._become_ready(now_s)

    def restart_begins(self, now_s: float) -> bool:
        """Whether it is to come back still."""
        if self.state != "restarting":
            return False
        self.restarts_in_all += 1
        self.restart_policy.restarted(now_s)
        return True

    def restart_ends(self) -> None:
        attempt = self.restart_policy.restarts
        pid = UNSET if self.pid is None else self.pid
        self._actions.record(AppRestarted(app=self._spec.app, attempt=attempt, pid=pid))

    def restart_failed(self, words: str, now_s: float) -> None:
        """Its process could not be started, or only its windows not opened."""
        if self.pid is None:
            self._crashes(ExitStatus("exit", words), None, now_s)
        else:
            self.windows_failed(now_s)

    # Reports of the app itself.

    def process_ready(self, now_s: float) -> None:
        if self.pid is None or self._is_ready:
            return
        if self.is_alive:
            self._become_ready(now_s)
        else:
            self._mark_ready()

    def beat(self, trouble: str | None) -> None:
        """A sign of life; `trouble` is what the app can't do at the moment."""
        # One that is ended, or waits to come back, can't talk itself out of that.
        if self.pid is None or not self.is_alive:
            return
        if self.state == "unresponsive" or trouble != self._trouble:
            self._trouble = trouble
            if self._is_ready and self.state != "starting":
                self._settle()

    # Observations of it.

    def missed(self, missed: Missed, silent_s: float, now_s: float) -> None:
        """Notes a missed deadline for readiness or for a sign of life."""
        if self.pid is None or self.ending is not None:
            return
        if missed == "never_ready":
            process = self._spec.process
            within_s = 0.0 if process is None else process.ready_within_s
            self._end(Ending("never_ready", f"It was not ready within {within_s:g} s."), now_s)
            return
        words = f"It has given no sign of life for {silent_s:.0f} s."
        if missed == "hung":
            self._end(Ending("hung", words), now_s)
            return
        silent_ms = int(silent_s * 1000)
        self._actions.record(AppUnresponsive(app=self._spec.app, pid=self.pid, silent_ms=silent_ms))
        if self.is_alive:
            self.detail = words
            self._set("unresponsive")

    def measured(self, verdict: LimitVerdict, *, warned: bool, now_s: float) -> None:
        """The verdict on what its tree uses now; `warned` says that some limit is exceeded."""
        was_warned, self._warned = self._warned, warned
        if self.ending is not None or not self.is_alive:
            return
        excess = verdict.excess
        if verdict.action != "fine" and excess is not None:
            self._actions.record(self._limited(excess))
            if verdict.action == "end":
                self.limit_kills[excess.limit] += 1
                self._end(Ending("limit", excess_words(excess), excess), now_s)
                return
            self.detail = excess_words(excess)
        if was_warned != warned and self.state != "starting":
            self._settle()

    def renderer_gone(self, window: str, reason: str, exit_code: int | None, now_s: float) -> None:
        """Handles the crash of a window's renderer: the window shows it, and is restored."""
        if self.is_alive:
            words = renderer_words(reason)
            status = ExitStatus("renderer", words)
            if reason == "oom" and self.pid is None:
                status = ExitStatus("out_of_memory", words)
            self._crashes(status, exit_code, now_s, window)

    def process_ended(
        self,
        status: ExitStatus,
        exit_code: int | None,
        *,
        crash: Crash | None,
        open_files: int | None,
        now_s: float,
    ) -> bool:
        """Its process is gone with its tree; says whether it went by itself, and in order.

        Then its windows are to be closed, and `ended_in_order` follows. `crash` is the report of an
        end with a cause, `open_files` the app's limit, if it has one.
        """
        pid, ending = self.pid, self.ending
        self.pid = self.ending = None
        self.exit_code = exit_code
        if status.cause == "limit" and ending is None and open_files is not None:
            excess = out_of_files(open_files)
            self.limit_kills[excess.limit] += 1
            self._actions.record(self._limited(excess))
        if status.cause is not None:
            self._crashes(status, exit_code, now_s, crash=crash, pid=pid)
            return False
        self._actions.record(
            AppTerminated(
                app=self._spec.app,
                pid=UNSET if pid is None else pid,
                exit_code=UNSET if exit_code is None else exit_code,
                reason=status.detail,
            )
        )
        return ending is None

    def ended_in_order(self, now_s: float) -> None:
        """Some apps come back from that, too."""
        decision = self.restart_policy.ended(now_s, crashed=False)
        if decision.action == "restart":
            self._restart_after(decision.delay_s)
        else:
            self._set("stopped")

    # Its end.

    def window_closed(self, window: str, *, changing: bool) -> None:
        """A person closed a window; with its last one the app is asked to end.

        `changing` says that it is just being launched or ended.
        """
        self.windows.remove(window)
        if self.windows:
            self._set(self.state)
        elif self.pid is None and not changing:
            self._actions.cancel_restart()
            self._set("stopped")
        else:
            self._actions.ask_to_end()

    def stop_begins(self) -> None:
        """However its process ends from here on, that is no crash."""
        self.crash = self.detail = None
        if self.pid is not None and self.ending is None:
            self.ending = ASKED
        self._set("stopping" if self.pid is not None or self.windows else "stopped")

    def take_windows(self) -> list[str]:
        """The windows to close; none counts as open from here on."""
        windows, self.windows = self.windows, []
        return windows

    def stop_ends(self) -> None:
        self._actions.cancel_restart()
        self._set("stopped")

    # Transitions.

    @property
    def _counts_as_ready(self) -> bool:
        process = self._spec.process
        return process is not None and (process.ready == "started" or self._is_ready)

    def _mark_ready(self) -> None:
        self._is_ready = True
        self._actions.expect_beats()

    def _become_ready(self, now_s: float) -> None:
        self._mark_ready()
        pid = UNSET if self.pid is None else self.pid
        took_ms = int((now_s - self._started_at_s) * 1000)
        self._actions.record(AppReady(app=self._spec.app, pid=pid, took_ms=took_ms))
        self._settle()

    def _settle(self) -> None:
        """The state of an app that runs, from what it says and what its samples say."""
        self.crash = None
        if self._warned:
            self._set("degraded")
        else:
            self.detail = self._trouble
            self._set("degraded" if self._trouble else "ready")

    def _end(self, ending: Ending, now_s: float) -> None:
        """Ends the app for what it did; how it goes on is seen when it has ended."""
        if self.pid is None:
            self._crashes(ExitStatus(ending.cause, ending.detail), None, now_s)
        elif self.ending is None:
            self.ending = ending
            self._actions.end_process(ending)

    def _crashes(
        self,
        status: ExitStatus,
        exit_code: int | None,
        now_s: float,
        window: str | None = None,
        *,
        crash: Crash | None = None,
        pid: int | None = None,
    ) -> None:
        """`pid` and `crash` belong to a process that ended, `window` to a renderer."""
        self.crash = crash or self._actions.report(status, exit_code, window)
        self.crashes.append(self.crash)
        self._actions.record(
            AppCrashed(
                app=self._spec.app,
                reason=status.detail,
                pid=UNSET if pid is None else pid,
                exit_code=UNSET if exit_code is None else exit_code,
            )
        )
        self.detail = status.detail
        decision = self.restart_policy.ended(now_s, crashed=True)
        if decision.action == "restart":
            self._restart_after(decision.delay_s)
        else:
            self._actions.cancel_restart()
            self._set("failed" if decision.action == "give_up" else "crashed")
            if self.pid is not None:
                self._end(ASKED, now_s)

    def _restart_after(self, delay_s: float) -> None:
        self._actions.restart_after(delay_s)
        self._set("restarting")

    def _limited(self, excess: Excess) -> AppLimited:
        return AppLimited(
            app=self._spec.app,
            limit=excess.limit,
            measured=round(excess.measured, 1),
            allowed=excess.allowed,
            unit=UNITS[excess.limit],
            reason=excess_words(excess),
        )

    def _set(self, state: AppState) -> None:
        self.state = state
        self._actions.changed()
