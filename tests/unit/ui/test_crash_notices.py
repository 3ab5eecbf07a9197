"""A person is asked about an app that crashed too often and has no window."""

from typing import Any

import msgspec
import pytest

from deskbus.ui.crash_notices import CrashNotices
from deskbus.ui.shell import Shell
from deskbus_protocol.apps import AppState, AppStatus, Crash


class Peer:
    """Keeps what a shell is told."""

    slow = False

    def __init__(self) -> None:
        self.on_app_changed: list[tuple[str, dict[str, Any]]] = []

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any:
        raise AssertionError(method)

    def notify(self, method: str, params: object) -> None:
        self.on_app_changed.append((method, msgspec.to_builtins(params)))


def status(state: AppState, *, at: int = 7, windows: int = 0) -> AppStatus:
    return AppStatus(
        app="desk.feed",
        name="Feed\u202e",
        state=state,
        windows=["desk.feed/window"] * windows,
        crash=Crash(cause="exit", detail="It ended\x1b[2J.", at=at, uptime_ms=0),
    )


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def notices(peer: Peer) -> CrashNotices:
    shell = Shell()
    notices = CrashNotices(shell)
    shell.connect(peer)
    return notices


@pytest.mark.requirement("6.2")
def test_what_happened_is_told_with_a_way_to_restart_it(notices: CrashNotices, peer: Peer) -> None:
    notices.on_app_changed(status("failed"))
    [(method, params)] = peer.on_app_changed
    assert method == "ui.showNotice"
    notice = params["descriptor"]
    assert notice["offer"] == "apps.launch"
    assert notice["app"] == "desk.feed"
    assert notice["offerLabel"] == "Restart"
    assert notice["title"] == r"Feed\u{202e} keeps crashing"
    assert notice["words"].startswith(r"It ended\u{1b}[2J.")


def test_the_notice_goes_once_the_app_is_launched(notices: CrashNotices, peer: Peer) -> None:
    notices.on_app_changed(status("failed"))
    notices.on_app_changed(status("failed"))
    notices.on_app_changed(status("starting"))
    notices.on_app_changed(status("ready"))
    assert [method for method, _ in peer.on_app_changed] == ["ui.showNotice", "ui.closeNotice"]


def test_each_failure_asks_anew(notices: CrashNotices, peer: Peer) -> None:
    notices.on_app_changed(status("failed", at=1))
    notices.on_app_changed(status("restarting"))
    notices.on_app_changed(status("failed", at=2))
    shown = [
        params["descriptor"]["notice"] for method, params in peer.on_app_changed if "show" in method
    ]
    assert len(set(shown)) == 2


@pytest.mark.parametrize("state", ["crashed", "restarting", "ready"])
def test_only_a_failed_app_is_asked_about(
    notices: CrashNotices, peer: Peer, state: AppState
) -> None:
    notices.on_app_changed(status(state))
    assert peer.on_app_changed == []


def test_an_app_with_a_window_says_it_there(notices: CrashNotices, peer: Peer) -> None:
    notices.on_app_changed(status("failed", windows=1))
    assert peer.on_app_changed == []


def test_a_shell_that_comes_later_is_told_too() -> None:
    shell, peer = Shell(), Peer()
    CrashNotices(shell).on_app_changed(status("failed"))
    shell.connect(peer)
    assert [method for method, _ in peer.on_app_changed] == ["ui.showNotice"]


def test_a_shell_that_comes_later_reads_it_in_its_own_language() -> None:
    shell, peer = Shell(), Peer()
    CrashNotices(shell).on_app_changed(status("failed"))
    shell.speak("de-DE")
    shell.connect(peer)
    [(_, params)] = peer.on_app_changed
    notice = params["descriptor"]
    assert notice["title"] == r"Feed\u{202e} stürzt immer wieder ab"
    assert notice["offerLabel"] == "Neu starten"
    assert "It ended" not in notice["words"]
