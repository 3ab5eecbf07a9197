"""A crash page for each window of an app that died, and for no other."""

from typing import Any, get_args

import pytest
from msgspec import UNSET

from deskbus.languages.language import english, language_for
from deskbus.ui.crash_pages import crash_pages
from deskbus_protocol.apps import AppState, AppStatus, Crash, LimitName
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
    pages = crash_pages(status(state), NOW_MS, english())
    assert [page.window for page in pages] == ["t/one", "t/two"]
    assert {(page.cause, page.signal, page.at) for page in pages} == {
        ("signal", "SIGSEGV", NOW_MS - 5)
    }


def test_a_window_that_died_alone_has_the_only_page() -> None:
    crash = Crash(cause="renderer", detail="", at=NOW_MS, uptime_ms=0, window="t/two")
    pages = crash_pages(status("restarting", crash=crash), NOW_MS, english())
    assert [page.window for page in pages] == ["t/two"]
    assert len(crash_pages(status("failed", crash=crash), NOW_MS, english())) == 2


@pytest.mark.parametrize(
    "state",
    ["stopping", "stopped", "starting", "ready", "degraded", "unresponsive"],
)
def test_an_app_that_lives_or_was_stopped_gets_none(state: AppState) -> None:
    assert crash_pages(status(state), NOW_MS, english()) == []


def test_the_page_says_how_it_goes_on() -> None:
    manual = crash_pages(status("crashed"), NOW_MS, english())[0].restart
    scheduled = crash_pages(status("restarting", restart_in=750, restarts=2), NOW_MS, english())[
        0
    ].restart
    loop = crash_pages(status("failed"), NOW_MS, english())[0].restart
    assert manual.state == "manual"
    assert (scheduled.state, scheduled.at, scheduled.attempt) == ("scheduled", NOW_MS + 750, 3)
    assert loop.state == "loop"


def test_the_page_holds_the_last_lines_with_hidden_characters_shown() -> None:
    crash = Crash(
        cause="exit", detail="", at=1, uptime_ms=1, log=[*map(str, range(99)), "a\x1b[31m\tb"]
    )
    log = crash_pages(status("crashed", crash=crash), NOW_MS, english())[0].log
    assert len(log) == MAX_LOG_LINES
    assert log[-1] == "a\\u{1b}[31m    b"
    assert log[0] == "60"


def test_in_another_language_the_page_tells_the_limit_and_else_has_words_itself() -> None:
    english_words = "It used 900 MB of memory; 512 MB are allowed."
    over = Crash(cause="limit", detail=english_words, at=1, uptime_ms=1, limit="memory")
    hung = Crash(cause="hung", detail="It gave no sign of life.", at=1, uptime_ms=1)
    german = language_for("de")
    details = [
        crash_pages(status("crashed", crash=crash), NOW_MS, language)[0].detail
        for crash in (over, hung)
        for language in (english(), german)
    ]
    limit = german.text("crash.limit.memory")
    assert details == [english_words, limit, "It gave no sign of life.", UNSET]
    assert all(german.has(f"crash.limit.{name}") for name in get_args(LimitName))
