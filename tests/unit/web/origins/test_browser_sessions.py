"""Browsers that were let in, by an injected clock."""

import pytest

from deskbus.web.limits import (
    BROWSER_LIFE_S,
    CODE_LIFE_S,
    CSRF_LIFE_S,
    MAX_BROWSERS,
    MAX_CODES,
)
from deskbus.web.origins.browser_sessions import Browser, BrowserAdmission, BrowserSessions
from deskbus_protocol.errors import DeskbusError
from tests.support.clocks import ManualClock

APP, ORIGIN = "a.page", "http://a.localhost:1"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sessions(clock: ManualClock) -> BrowserSessions:
    return BrowserSessions(clock)


def found(sessions: BrowserSessions, secret: str) -> Browser:
    browser = sessions.find(secret, APP, ORIGIN)
    assert browser is not None
    return browser


def let_in(sessions: BrowserSessions) -> BrowserAdmission:
    admission = sessions.prepare(APP, ORIGIN)
    assert sessions.admit(admission.browser)
    return admission


def test_a_code_is_good_once_for_a_minute(sessions: BrowserSessions, clock: ManualClock) -> None:
    code = sessions.new_code(APP)
    assert sessions.spend(code, APP)
    assert not sessions.spend(code, APP)
    late = sessions.new_code(APP)
    clock.now_s += CODE_LIFE_S
    assert not sessions.spend(late, APP)
    assert not sessions.spend("", APP)


def test_a_code_of_another_app_is_spent(sessions: BrowserSessions) -> None:
    code = sessions.new_code(APP)
    assert not sessions.spend(code, "b.page")
    assert not sessions.spend(code, APP)


def test_codes_are_bounded_and_make_room_as_they_age(
    sessions: BrowserSessions, clock: ManualClock
) -> None:
    for _ in range(MAX_CODES):
        sessions.new_code(APP)
    with pytest.raises(DeskbusError):
        sessions.new_code(APP)
    clock.now_s += CODE_LIFE_S
    sessions.new_code(APP)


def test_a_session_is_of_one_app_and_origin_and_ends(
    sessions: BrowserSessions, clock: ManualClock
) -> None:
    secret, *_ = let_in(sessions)
    assert sessions.find(secret, "b.page", ORIGIN) is None
    assert sessions.find(secret, APP, "http://b.localhost:1") is None
    assert sessions.find(secret + "x", APP, ORIGIN) is None
    found(sessions, secret)
    clock.now_s += BROWSER_LIFE_S + 1
    assert sessions.find(secret, APP, ORIGIN) is None


def test_the_browser_that_was_unused_longest_gives_way(sessions: BrowserSessions) -> None:
    secrets = [let_in(sessions).secret for _ in range(MAX_BROWSERS)]
    found(sessions, secrets[0])
    let_in(sessions)
    assert sessions.find(secrets[1], APP, ORIGIN) is None
    found(sessions, secrets[0])
    assert sessions.count_of(APP) == MAX_BROWSERS


@pytest.mark.requirement("5.4")
def test_a_csrf_token_is_signed_bound_and_short_lived(
    sessions: BrowserSessions, clock: ManualClock
) -> None:
    one = found(sessions, let_in(sessions).secret)
    other = found(sessions, let_in(sessions).secret)
    token = sessions.csrf_token(one)
    assert sessions.csrf_token(one) != token
    assert sessions.is_csrf_token(one, token)
    assert not sessions.is_csrf_token(other, token)
    assert not BrowserSessions(clock).is_csrf_token(one, token)
    time, _, rest = token.partition(".")
    assert not sessions.is_csrf_token(one, f"{int(time) + 60}.{rest}")
    for wrong in ("", ".", "..", token[:-1], token + "0", "\u00e9"):
        assert not sessions.is_csrf_token(one, wrong)
    clock.now_s += CSRF_LIFE_S + 1
    assert not sessions.is_csrf_token(one, token)


def test_a_proof_is_the_browsers_own(sessions: BrowserSessions) -> None:
    secret, proof, _ = let_in(sessions)
    _, other, _ = let_in(sessions)
    browser = found(sessions, secret)
    assert browser.is_proof(proof)
    assert not browser.is_proof(other)
    assert not browser.is_proof("")


def test_whoever_is_about_to_be_let_in_is_revoked_with_the_app(sessions: BrowserSessions) -> None:
    kept = sessions.prepare(APP, ORIGIN)
    sessions.forget("another.app")
    assert sessions.admit(kept.browser)
    assert not sessions.admit(kept.browser)
    for revoke in (lambda: sessions.forget(APP), sessions.close):
        late = sessions.prepare(APP, ORIGIN)
        revoke()
        assert not sessions.admit(late.browser)
        assert sessions.find(late.secret, APP, ORIGIN) is None
    assert sessions.admit(sessions.prepare(APP, ORIGIN).browser)
