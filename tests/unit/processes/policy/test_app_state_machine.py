"""An app's states, without a process: examples, and every order of facts that hypothesis finds."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from msgspec import UNSET

from deskbus.processes.policy.app_state_machine import ASKED, AppStateMachine
from deskbus.processes.policy.exit_status import (
    Ending,
    ExitStatus,
    excess_words,
    renderer_words,
)
from deskbus.processes.policy.limit_policy import Excess, LimitVerdict
from deskbus.processes.policy.liveness import Missed
from deskbus.processes.policy.restart_policy import RestartPolicy
from deskbus.processes.runtime.spawn import Program
from deskbus.processes.spec import AppSpec, ProcessSpec
from deskbus_protocol.apps import AppState, Crash
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
from deskbus_protocol.manifest import Ready, RestartSpec

APP = "desk.feed"
Recorded = TypeVar("Recorded", bound=AuditEvent)
PROGRAM = Program("python", "feed.py", (), Path(), {})
CRASHED = ExitStatus("signal", "It was ended by SIGSEGV.", "SIGSEGV")
IN_ORDER = ExitStatus(None, "It ended by itself.")


class Orders:
    """Takes the machine's orders, and remembers what they amount to."""

    def __init__(self) -> None:
        self.machine: AppStateMachine | None = None
        self.states: list[AppState] = []
        self.events: list[AuditEvent] = []
        self.endings: list[Ending] = []
        self.restart_due_in_s: float | None = None
        self.asked_to_end = False
        self.expects_beats = False

    def changed(self) -> None:
        assert self.machine is not None
        self.states.append(self.machine.state)

    def record(self, event: AuditEvent) -> None:
        self.events.append(event)

    def expect_beats(self) -> None:
        self.expects_beats = True

    def end_process(self, ending: Ending) -> None:
        self.endings.append(ending)

    def ask_to_end(self) -> None:
        self.asked_to_end = True

    def restart_after(self, delay_s: float) -> None:
        self.restart_due_in_s = delay_s

    def cancel_restart(self) -> None:
        self.restart_due_in_s = None

    def report(self, status: ExitStatus, exit_code: int | None, window: str | None) -> Crash:
        return crash(status, window)


def crash(status: ExitStatus, window: str | None = None) -> Crash:
    assert status.cause is not None
    return Crash(
        cause=status.cause, detail=status.detail, at=0, uptime_ms=0, window=window or UNSET
    )


class App:
    """A machine with its orders, driven as `ManagedApp` drives it."""

    def __init__(
        self, *, ready: Ready = "started", restart: RestartSpec | None = None, process: bool = True
    ) -> None:
        self.now_s = 0.0
        self.orders = Orders()
        restart = restart or RestartSpec(when="on_crash", first_s=1, longest_s=8, crashes=3)
        self.spec = AppSpec(
            APP, "Feed", (), ProcessSpec(PROGRAM, ready) if process else None, restart=restart
        )
        policy = RestartPolicy(restart, chance=lambda: 0.0)
        self.machine = self.orders.machine = AppStateMachine(self.spec, self.orders, policy)
        self.pids = iter(range(1, 1_000_000))

    def state(self) -> AppState:
        return self.machine.state

    def crash(self) -> Crash | None:
        return self.machine.crash

    def launch(self, *windows: str) -> None:
        self.machine.launched()
        self.start(*windows)

    def start(self, *windows: str) -> None:
        self.machine.start_begins(self.now_s)
        if self.spec.process is not None and self.machine.pid is None:
            self.machine.process_started(next(self.pids), self.now_s)
        for window in windows:
            self.machine.window_opened(window)
        self.machine.start_ends(self.now_s)

    def end(self, status: ExitStatus) -> None:
        in_order = self.machine.process_ended(
            status,
            0,
            crash=None if status.cause is None else crash(status),
            open_files=None,
            now_s=self.now_s,
        )
        if in_order:
            self.orders.cancel_restart()
            self.machine.take_windows()
            self.machine.ended_in_order(self.now_s)

    def stop(self) -> None:
        self.orders.cancel_restart()
        self.machine.stop_begins()
        self.machine.take_windows()
        if self.machine.pid is not None:
            ending = self.machine.ending
            assert ending is not None
            self.end(ExitStatus(ending.cause, ending.detail))
        self.machine.stop_ends()

    def restart(self) -> None:
        self.orders.restart_due_in_s = None
        assert self.machine.restart_begins(self.now_s)
        self.start()
        self.machine.restart_ends()


def test_an_app_is_ready_when_its_manifest_counts_it_so() -> None:
    app = App()
    app.launch()
    assert app.orders.states == ["starting", "ready"]
    app = App(ready="told")
    app.launch()
    assert app.orders.states == ["starting", "starting"], "told again with what is there by then"
    app.machine.process_ready(2.5)
    assert app.state() == "ready"
    assert app.orders.expects_beats


@pytest.mark.requirement("6.2")
def test_a_crash_brings_a_restart_and_the_last_of_many_does_not() -> None:
    app = App()
    app.launch()
    for delay_s in (1, 2):
        app.end(CRASHED)
        assert (app.state(), app.orders.restart_due_in_s) == ("restarting", delay_s)
        assert app.crash() is not None
        app.restart()
        assert app.state() == "ready"
        assert app.crash() is None
    app.end(CRASHED)
    assert (app.state(), app.orders.restart_due_in_s) == ("failed", None)
    app.launch()
    assert (app.state(), app.machine.restart_policy.restarts) == ("ready", 0)
    assert app.machine.restarts_in_all == 2


def test_an_end_in_order_is_no_crash_and_closes_the_windows() -> None:
    app = App()
    app.launch("feed/main")
    app.end(IN_ORDER)
    assert (app.state(), app.machine.windows, app.machine.crash) == ("stopped", [], None)


@pytest.mark.requirement("4.4")
def test_one_over_its_limit_is_warned_then_ended_once_and_comes_back_as_from_a_crash() -> None:
    app, excess = App(), Excess("memory", 3e8, 2e8)
    app.launch()
    app.machine.measured(LimitVerdict("warn", excess), warned=True, now_s=1)
    assert (app.state(), app.orders.endings) == ("degraded", [])
    for _ in range(3):
        app.machine.measured(LimitVerdict("end", excess), warned=True, now_s=2)
    (ending,) = app.orders.endings
    assert ending.excess == excess
    app.end(ExitStatus(ending.cause, ending.detail))
    assert (app.state(), app.machine.limit_kills["memory"]) == ("restarting", 1)


def test_limits_that_were_raised_end_the_warning() -> None:
    app = App()
    app.launch()
    app.machine.measured(LimitVerdict("warn", Excess("cpu", 90, 50)), warned=True, now_s=1)
    app.machine.measured(LimitVerdict("fine"), warned=False, now_s=2)
    assert (app.state(), app.machine.detail) == ("ready", None)


@pytest.mark.requirement("6.4")
def test_a_silent_one_is_unresponsive_until_it_beats_and_ended_when_it_hangs() -> None:
    app = App()
    app.launch()
    app.machine.missed("unresponsive", 12, 12)
    assert (app.state(), app.orders.endings) == ("unresponsive", [])
    app.machine.beat(None)
    assert app.state() == "ready"
    app.machine.missed("hung", 30, 42)
    assert [ending.cause for ending in app.orders.endings] == ["hung"]


def test_the_last_window_that_a_person_closes_ends_the_app() -> None:
    app = App()
    app.launch("feed/main", "feed/more")
    app.machine.window_closed("feed/main", changing=False)
    assert not app.orders.asked_to_end
    app.machine.window_closed("feed/more", changing=False)
    assert app.orders.asked_to_end


def test_an_app_of_windows_alone_stops_with_the_last_of_them() -> None:
    app = App(process=False)
    app.launch("feed/main")
    assert app.state() == "ready"
    app.machine.window_closed("feed/main", changing=False)
    assert app.state() == "stopped"


@pytest.mark.requirement("6.2")
def test_an_app_of_windows_alone_comes_back_when_its_page_crashes_and_is_given_up_at_last() -> None:
    app = App(process=False)
    app.launch("feed/main")
    for delay_s in (1, 2):
        app.machine.renderer_gone("feed/main", "crashed", 5, app.now_s)
        assert (app.state(), app.orders.restart_due_in_s) == ("restarting", delay_s)
        found = app.crash()
        assert found is not None
        assert (found.cause, found.window) == ("renderer", "feed/main")
        app.restart()
        assert app.state() == "ready"
    app.machine.renderer_gone("feed/main", "oom", 5, app.now_s)
    found = app.crash()
    assert found is not None
    assert (app.state(), found.cause) == ("failed", "out_of_memory")
    assert app.orders.endings == []


def test_an_app_of_windows_alone_has_no_process_to_beat_or_be_late() -> None:
    app = App(process=False)
    app.launch("feed/main")
    app.machine.missed("never_ready", 60, 60)
    app.machine.missed("hung", 60, 60)
    app.machine.beat("no network")
    app.machine.process_ready(1)
    assert (app.state(), app.orders.expects_beats, app.orders.endings) == ("ready", False, [])
    assert [type(event) for event in app.orders.events] == []


def test_an_app_of_windows_alone_is_ended_by_closing_them() -> None:
    app = App(process=False)
    app.launch("feed/main", "feed/second")
    app.machine.window_closed("feed/second", changing=False)
    assert app.state() == "ready"
    app.machine.renderer_gone("feed/main", "crashed", 5, 1)
    app.machine.window_closed("feed/main", changing=False)
    assert (app.state(), app.orders.restart_due_in_s) == ("stopped", None)
    assert not app.machine.restart_begins(2)
    app.launch("feed/main")
    app.machine.stop_begins()
    assert app.state() == "stopping"
    assert app.machine.take_windows() == ["feed/main"]
    app.machine.stop_ends()
    assert (app.state(), app.machine.windows) == ("stopped", [])


def test_a_restart_whose_windows_fail_goes_on_without_them() -> None:
    app = App()
    app.launch("feed/main")
    app.machine.renderer_gone("feed/main", "crashed", 5, 1)
    assert (app.state(), app.machine.pid) == ("restarting", 1)
    assert app.machine.restart_begins(2)
    app.machine.start_begins(2)
    app.machine.restart_failed("no shell is connected", 2)
    assert app.state() == "ready"


def recorded(app: App, kind: type[Recorded]) -> list[Recorded]:
    return [event for event in app.orders.events if isinstance(event, kind)]


def test_the_audit_log_has_every_step_of_a_life_with_the_process_that_it_is_about() -> None:
    app = App(ready="told")
    app.now_s = 10.0
    app.launch()
    app.machine.process_ready(12.5)
    app.machine.missed("unresponsive", 31.25, 50)
    app.machine.beat(None)
    app.end(CRASHED)
    app.restart()
    app.machine.process_ready(62)
    app.end(IN_ORDER)
    assert app.orders.events == [
        AppLaunched(app=APP, pid=1),
        AppReady(app=APP, pid=1, took_ms=2500),
        AppUnresponsive(app=APP, pid=1, silent_ms=31_250),
        AppCrashed(app=APP, reason=CRASHED.detail, pid=1, exit_code=0),
        AppLaunched(app=APP, pid=2),
        AppRestarted(app=APP, attempt=1, pid=2),
        AppReady(app=APP, pid=2, took_ms=52_000),
        AppTerminated(app=APP, pid=2, exit_code=0, reason=IN_ORDER.detail),
    ]


def test_an_app_of_windows_alone_comes_back_in_the_audit_log_without_a_process() -> None:
    app = App(process=False)
    app.launch("feed/main")
    app.machine.renderer_gone("feed/main", "crashed", None, app.now_s)
    app.restart()
    assert app.orders.events == [
        AppCrashed(app=APP, reason=renderer_words("crashed")),
        AppRestarted(app=APP, attempt=1),
    ]


def test_an_end_whose_exit_code_nobody_knows_has_none_in_the_audit_log() -> None:
    app = App()
    app.launch()
    app.machine.process_ended(IN_ORDER, None, crash=None, open_files=None, now_s=1)
    (ended,) = recorded(app, AppTerminated)
    assert (ended.pid, ended.exit_code) == (1, UNSET)


@pytest.mark.requirement("4.4")
def test_an_exceeded_limit_is_in_the_audit_log_with_what_was_measured() -> None:
    app, excess = App(), Excess("cpu", 90.26, 50)
    app.launch()
    app.machine.measured(LimitVerdict("warn", excess), warned=True, now_s=1)
    assert recorded(app, AppLimited) == [
        AppLimited(
            app=APP,
            limit="cpu",
            measured=90.3,
            allowed=50,
            unit="percent",
            reason=excess_words(excess),
        )
    ]
    assert app.machine.detail == excess_words(excess)
    app.machine.measured(LimitVerdict("fine"), warned=True, now_s=2)
    assert len(recorded(app, AppLimited)) == 1


@pytest.mark.requirement("4.4")
def test_one_that_the_system_refused_more_files_is_counted_with_those_over_a_limit() -> None:
    refused = ExitStatus("limit", "It could open no more files.")
    app = App()
    app.launch()
    app.machine.process_ended(refused, 1, crash=crash(refused), open_files=64, now_s=1)
    assert app.machine.limit_kills == {"open_files": 1}
    (limited,) = recorded(app, AppLimited)
    assert (limited.limit, limited.allowed) == ("open_files", 64)


@pytest.mark.parametrize("status", [CRASHED, ExitStatus("limit", "It took too much memory.")])
def test_no_other_end_is_told_to_be_for_want_of_files(status: ExitStatus) -> None:
    """Neither a crash, nor an end by a limit that was told when it was decided, nor one of an app
    without a limit of files.
    """
    for open_files, ended_by_us in ((64, True), (None, False)):
        app = App()
        app.launch()
        if ended_by_us:
            app.machine.measured(
                LimitVerdict("end", Excess("memory", 3e8, 2e8)), warned=True, now_s=1
            )
        told = len(recorded(app, AppLimited))
        app.machine.process_ended(status, 1, crash=crash(status), open_files=open_files, now_s=2)
        assert (app.machine.limit_kills["open_files"], len(recorded(app, AppLimited))) == (0, told)
    app = App()
    app.launch()
    app.machine.process_ended(CRASHED, 1, crash=crash(CRASHED), open_files=64, now_s=2)
    assert recorded(app, AppLimited) == []


def test_one_that_is_not_ready_in_time_is_ended_and_told_how_long_it_had() -> None:
    app = App(ready="told")
    app.launch()
    app.machine.missed("never_ready", 0, 20)
    assert app.orders.endings == [Ending("never_ready", "It was not ready within 20 s.")]
    app.machine.missed("never_ready", 0, 21)
    assert len(app.orders.endings) == 1


def test_trouble_that_an_app_tells_makes_it_degraded_until_it_tells_of_none() -> None:
    app = App()
    app.launch()
    app.machine.beat(None)
    assert app.orders.states == ["starting", "ready"], "nothing new is told to nobody"
    app.machine.beat("no prices come")
    assert (app.state(), app.machine.detail) == ("degraded", "no prices come")
    app.machine.beat("no prices come")
    assert app.orders.states == ["starting", "ready", "degraded"]
    app.machine.beat(None)
    assert (app.state(), app.machine.detail) == ("ready", None)


def test_trouble_and_limits_before_it_is_ready_wait_until_it_is() -> None:
    app = App(ready="told")
    app.launch()
    app.machine.beat("no prices come")
    app.machine.measured(LimitVerdict("fine"), warned=True, now_s=1)
    app.machine.measured(LimitVerdict("fine"), warned=False, now_s=2)
    assert app.state() == "starting"
    app.machine.process_ready(3)
    assert (app.state(), app.machine.detail) == ("degraded", "no prices come")


def test_a_sign_of_life_of_one_that_has_crashed_changes_nothing() -> None:
    app = App()
    app.launch()
    app.machine.renderer_gone("feed/main", "crashed", 5, 1)
    assert (app.state(), app.machine.pid) == ("restarting", 1)
    app.machine.beat("no prices come")
    assert app.state() == "restarting"


def test_one_that_gets_ready_while_its_window_comes_back_is_ready_then() -> None:
    app = App(ready="told")
    app.launch("feed/main")
    app.machine.renderer_gone("feed/main", "crashed", 5, 1)
    app.machine.process_ready(2)
    assert (app.state(), app.orders.expects_beats) == ("restarting", True)
    app.restart()
    assert app.state() == "ready"


def test_the_next_process_of_an_app_has_to_say_anew_that_it_is_ready() -> None:
    app = App(ready="told")
    app.launch()
    app.machine.process_ready(1)
    app.end(CRASHED)
    app.restart()
    assert app.orders.states[-1] == app.state() == "starting"


def test_a_start_whose_windows_fail_is_ready_only_where_its_process_is() -> None:
    app = App(ready="told")
    app.machine.launched()
    app.machine.start_begins(0)
    app.machine.process_started(1, 0)
    app.machine.windows_failed(1)
    assert app.state() == "starting"
    without = App()
    without.machine.start_begins(0)
    without.machine.windows_failed(1)
    assert (without.state(), without.orders.events) == ("starting", [])
    app.machine.process_ready(2)
    app.orders.events.clear()
    app.machine.windows_failed(3)
    assert app.orders.events == [], "it is ready already"


def test_one_more_window_is_told_and_so_is_one_that_is_closed() -> None:
    app = App()
    app.launch("feed/main")
    told = len(app.orders.states)
    app.machine.instance_opened("feed/more")
    assert app.machine.windows == ["feed/main", "feed/more"]
    assert len(app.orders.states) == told + 1
    app.machine.window_closed("feed/more", changing=False)
    assert len(app.orders.states) == told + 2


def test_a_restart_whose_process_does_not_start_is_one_more_crash() -> None:
    app = App()
    app.launch()
    app.end(CRASHED)
    assert app.machine.restart_begins(1)
    app.machine.start_begins(1)
    app.machine.restart_failed("There is no such program.", 1)
    assert (app.state(), app.orders.restart_due_in_s) == ("restarting", 2)
    assert app.machine.detail == "There is no such program."
    assert [each.detail for each in app.machine.crashes] == [CRASHED.detail, app.machine.detail]


def test_a_person_s_launch_takes_the_place_of_a_restart_that_is_due() -> None:
    app = App()
    app.launch()
    app.end(CRASHED)
    assert app.orders.restart_due_in_s is not None
    app.machine.launched()
    assert app.orders.restart_due_in_s is None


def test_the_last_ten_crashes_are_kept() -> None:
    app = App(restart=RestartSpec(when="on_crash", crashes=100))
    app.launch()
    for number in range(12):
        app.end(ExitStatus("signal", f"crash {number}", "SIGSEGV"))
        app.restart()
    assert [each.detail for each in app.machine.crashes] == [f"crash {n}" for n in range(2, 12)]


def test_a_stable_run_counts_from_its_start_after_a_restart_too() -> None:
    restart = RestartSpec(when="on_crash", first_s=1, longest_s=8, stable_s=60, crashes=100)
    app = App(restart=restart)
    app.now_s = 1000.0
    app.launch()
    app.now_s += 59
    app.end(CRASHED)
    app.restart()
    app.now_s += 61
    app.end(CRASHED)
    assert app.orders.restart_due_in_s == 1, "the run before was stable"
    app.restart()
    app.now_s += 59
    app.end(CRASHED)
    assert app.orders.restart_due_in_s == 2


def test_a_stable_run_counts_from_a_person_s_launch_amid_a_restart() -> None:
    app = App()
    app.launch("feed/main")
    app.machine.renderer_gone("feed/main", "crashed", 5, app.now_s)
    app.launch("feed/main")
    app.now_s += app.spec.restart.stable_s
    app.end(CRASHED)
    assert app.orders.restart_due_in_s == 1


def test_one_without_a_process_that_takes_too_much_crashes_for_that() -> None:
    app = App(process=False)
    app.launch("feed/main")
    app.machine.measured(LimitVerdict("end", Excess("memory", 3e8, 2e8)), warned=True, now_s=1)
    found = app.crash()
    assert found is not None
    assert (app.state(), found.cause, app.orders.endings) == ("restarting", "limit", [])


def test_no_restart_is_due_once_it_is_given_up() -> None:
    app = App(restart=RestartSpec(when="on_crash", crashes=2))
    app.launch("feed/main")
    app.machine.renderer_gone("feed/main", "crashed", 5, 0)
    assert app.state() == "restarting"
    app.end(CRASHED)
    assert (app.state(), app.orders.restart_due_in_s) == ("failed", None)


def test_an_app_that_runs_or_has_windows_is_stopping_until_both_are_gone() -> None:
    app = App()
    app.launch()
    app.machine.stop_begins()
    assert (app.state(), app.machine.ending) == ("stopping", ASKED)
    idle = App()
    idle.machine.stop_begins()
    assert idle.state() == "stopped"


class Lives(RuleBasedStateMachine):
    """Facts in any order in which a process, a shell, a person and a clock may bring them."""

    def __init__(self) -> None:
        super().__init__()
        self.app = App()

    @initialize(
        ready=st.sampled_from(("started", "told")),
        when=st.sampled_from(("on_crash", "never", "always")),
        process=st.booleans(),
    )
    def describe(self, ready: Ready, when: str, process: bool) -> None:
        restart = RestartSpec(when=when, crashes=2)  # type: ignore[arg-type]
        self.app = App(ready=ready, restart=restart, process=process)

    @rule(waits_s=st.sampled_from((0.1, 5.0, 700.0)))
    def wait(self, waits_s: float) -> None:
        self.app.now_s += waits_s

    @rule(windows=st.sets(st.sampled_from(("a", "b"))))
    def launch(self, windows: set[str]) -> None:
        self.app.launch(*windows)

    @rule()
    @precondition(lambda self: self.app.orders.restart_due_in_s is not None)
    def come_back(self) -> None:
        self.app.restart()

    @rule()
    @precondition(lambda self: self.app.orders.restart_due_in_s is not None)
    def fail_to_come_back(self) -> None:
        machine, self.app.orders.restart_due_in_s = self.app.machine, None
        assert machine.restart_begins(self.app.now_s)
        machine.start_begins(self.app.now_s)
        machine.restart_failed("no program is there", self.app.now_s)

    @rule(status=st.sampled_from((CRASHED, IN_ORDER)))
    @precondition(lambda self: self.app.machine.pid is not None)
    def end(self, status: ExitStatus) -> None:
        ending = self.app.machine.ending
        self.app.end(status if ending is None else ExitStatus(ending.cause, ending.detail))

    @rule()
    def stop(self) -> None:
        self.app.stop()
        assert self.app.machine.state == "stopped"

    @rule()
    def be_ready(self) -> None:
        self.app.machine.process_ready(self.app.now_s)

    @rule(trouble=st.sampled_from((None, "no prices come")))
    def beat(self, trouble: str | None) -> None:
        self.app.machine.beat(trouble)

    @rule(missed=st.sampled_from(("never_ready", "unresponsive", "hung")))
    def miss(self, missed: Missed) -> None:
        self.app.machine.missed(missed, 30, self.app.now_s)

    @rule(action=st.sampled_from(("fine", "warn", "end")))
    def measure(self, action: str) -> None:
        verdict = LimitVerdict(action, Excess("cpu", 90, 50))  # type: ignore[arg-type]
        self.app.machine.measured(verdict, warned=action != "fine", now_s=self.app.now_s)

    @rule(reason=st.sampled_from(("crashed", "oom")))
    def lose_a_renderer(self, reason: str) -> None:
        self.app.machine.renderer_gone("a", reason, 5, self.app.now_s)

    @rule()
    @precondition(lambda self: self.app.machine.windows)
    def close_a_window(self) -> None:
        self.app.machine.window_closed(self.app.machine.windows[0], changing=False)
        if self.app.orders.asked_to_end:
            self.app.orders.asked_to_end = False
            self.app.stop()

    @invariant()
    def a_restart_is_planned_while_it_is_restarting_and_at_no_other_time(self) -> None:
        planned = self.app.orders.restart_due_in_s is not None
        assert planned == (self.app.machine.state == "restarting")

    @invariant()
    def nothing_of_a_stopped_app_is_there(self) -> None:
        machine = self.app.machine
        if machine.state == "stopped":
            assert (machine.pid, machine.windows, machine.ending) == (None, [], None)

    @invariant()
    def one_that_is_given_up_has_no_process_but_one_that_is_being_ended(self) -> None:
        machine = self.app.machine
        if machine.state in ("failed", "crashed"):
            assert machine.pid is None or machine.ending is not None

    @invariant()
    def a_process_is_ended_once_at_most(self) -> None:
        launched = sum(isinstance(event, AppLaunched) for event in self.app.orders.events)
        assert len(self.app.orders.endings) <= launched

    @invariant()
    def each_process_that_was_launched_ends_once_in_the_audit_log(self) -> None:
        launched, ended = [], []
        for event in self.app.orders.events:
            if isinstance(event, AppLaunched):
                launched.append(event.pid)
            if isinstance(event, AppTerminated | AppCrashed) and event.pid is not UNSET:
                ended.append(event.pid)
        running = [] if self.app.machine.pid is None else [self.app.machine.pid]
        assert sorted([*ended, *running]) == launched

    @invariant()
    def a_crash_is_reported_until_it_is_ready_again(self) -> None:
        machine = self.app.machine
        if machine.state in ("crashed", "failed"):
            assert machine.crash is not None
        if machine.state == "ready":
            assert machine.crash is None

    @invariant()
    def it_comes_back_no_more_often_than_it_is_said_to(self) -> None:
        restarted = sum(isinstance(event, AppRestarted) for event in self.app.orders.events)
        assert restarted <= self.app.machine.restarts_in_all

    @invariant()
    def others_are_told_of_every_state(self) -> None:
        states = self.app.orders.states
        assert not states or states[-1] == self.app.machine.state


Lives.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLives: Callable[[], object] = Lives.TestCase
