"""Resume tokens work once, for the client that they were given to, and the newest alone."""

import pytest

from deskbus.security.tickets.resume_tokens import ResumeTokens
from deskbus_protocol.envelope import ClientId

FEED, BLOTTER = ClientId("desk.feed", "main"), ClientId("desk.blotter", "main")


@pytest.mark.requirement("6.3")
def test_a_token_is_redeemed_once_for_its_own_client() -> None:
    tokens: ResumeTokens[str] = ResumeTokens()
    feed, blotter = tokens.issue("app", FEED), tokens.issue("shell", BLOTTER)
    assert tokens.redeem(feed) == ("app", FEED)
    assert tokens.redeem(feed) is None
    assert tokens.redeem(blotter) == ("shell", BLOTTER)
    assert len(tokens) == 0


def test_the_newest_token_of_a_client_voids_the_one_before() -> None:
    tokens: ResumeTokens[str] = ResumeTokens()
    old, new = tokens.issue("app", FEED), tokens.issue("app", FEED)
    assert tokens.redeem(old) is None
    assert len(tokens) == 1
    assert tokens.redeem(new) == ("app", FEED)


def test_a_revoked_token_and_one_that_was_made_up_are_nobody_s() -> None:
    tokens: ResumeTokens[str] = ResumeTokens()
    token = tokens.issue("app", FEED)
    tokens.revoke(FEED)
    tokens.revoke(FEED)
    assert tokens.redeem(token) is None
    assert tokens.redeem("made up") is None


def test_memory_tells_no_token() -> None:
    tokens: ResumeTokens[str] = ResumeTokens()
    token = tokens.issue("app", FEED)
    assert token not in str(vars(tokens))


def test_a_token_that_is_given_back_is_good_once_more() -> None:
    tokens = ResumeTokens[str]()
    token = tokens.issue("app", FEED)
    assert tokens.redeem(token) == ("app", FEED)
    tokens.give_back(token, "app", FEED)
    assert tokens.redeem(token) == ("app", FEED)
    assert tokens.redeem(token) is None


def test_a_token_that_is_given_back_replaces_no_newer_one() -> None:
    tokens = ResumeTokens[str]()
    old = tokens.issue("app", FEED)
    tokens.redeem(old)
    new = tokens.issue("app", FEED)
    tokens.give_back(old, "app", FEED)
    assert tokens.redeem(old) is None
    assert tokens.redeem(new) == ("app", FEED)
