"""A crash page for each window of an app that died, and for no other."""

from typing import Any

import pytest

from deskbus.ui.crash_pages import crash_pages
from deskbus_protocol.apps import AppState, AppStatus, Crash
from deskbus_protocol.windows import MAX_LOG_LINES

NOW_MS = 1_000_000


def status(state: AppState, **changes: Any) -> AppStatus:
    crash = Crash(
        cause="signal",
        detail="",
        at=NOW_MS - 5,
        uptime_ms=70,
        signal="SIGSEGV",
        log=[f"line {number}" for number in range(100)],
    )
    fields = {"app": "t", "name": "T", "windows": ["t/one", "t/two"], "crash": crash, **changes}
    return AppStatus(state=state, **fields)


@pytest.mark.parametrize("state", ["crashed", "restarting", "failed"])
def test_every_window_of_a_dead_app_gets_a_page(state: AppState) -> None:
    pages = crash_pages(status(state), NOW_MS)
    assert [page.window for page in pages] == ["t/one", "t/two"]
    assert {(page.cause, page.signal, page.at) for page in pages} == {
        ("signal", "SIGSEGV", NOW_MS - 5)
    }


def test_a_window_that_died_alone_has_the_only_page() -> None:
    crash = Crash(cause="renderer", detail="", at=NOW_MS, uptime_ms=0, window="t/two")
    pages = crash_pages(status("restarting", crash=crash), NOW_MS)
    assert [page.window for page in pages] == ["t/two"]
    assert len(crash_pages(status("failed", crash=crash), NOW_MS)) == 2


@pytest.mark.parametrize(
    "state",
    ["stopping", "stopped", "starting", "ready", "degraded", "unresponsive"],
)
def test_an_app_that_lives_or_was_stopped_gets_none(state: AppState) -> None:
    assert crash_pages(status(state), NOW_MS) == []


def test_the_page_says_how_it_goes_on() -> None:
    manual = crash_pages(status("crashed"), NOW_MS)[0].restart
    scheduled = crash_pages(status("restarting", restart_in=750, restarts=2), NOW_MS)[0].restart
    loop = crash_pages(status("failed"), NOW_MS)[0].restart
    assert manual.state == "manual"
    assert (scheduled.state, scheduled.at, scheduled.attempt) == ("scheduled", NOW_MS + 750, 3)
    assert loop.state == "loop"


def test_the_page_holds_the_last_lines_with_hidden_characters_shown() -> None:
    crash = Crash(
        cause="exit", detail="", at=1, uptime_ms=1, log=[*map(str, range(99)), "a\x1b[31m\tb"]
    )
    log = crash_pages(status("crashed", crash=crash), NOW_MS)[0].log
    assert len(log) == MAX_LOG_LINES
    assert log[-1] == "a\\u{1b}[31m    b"
    assert log[0] == "60"
