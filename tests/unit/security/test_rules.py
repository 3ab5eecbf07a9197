"""What a grant covers, under every order of strong and weak."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.security.rules import any_permits_topic, check_scope, denial_covers, grant_covers
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant

LEVELS = st.sampled_from(["a", "b"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.lists(LEVELS | st.sampled_from(["*", "#"]), min_size=1, max_size=4).map(".".join)
GRANTS = st.builds(Grant, st.sampled_from(["messaging.read", "messaging.write"]), PATTERNS)


@pytest.mark.requirement("3.2")
@given(GRANTS, GRANTS, TOPICS)
def test_what_a_strong_grant_covers_it_also_permits(
    given_: Grant, wanted: Grant, topic: str
) -> None:
    if grant_covers(given_, wanted) and any_permits_topic([wanted], wanted.permission, topic):
        assert any_permits_topic([given_], wanted.permission, topic)


@pytest.mark.requirement("3.2")
@given(GRANTS, GRANTS)
def test_denying_the_weak_denies_the_strong(weak: Grant, strong: Grant) -> None:
    if grant_covers(strong, weak):
        assert denial_covers(weak, strong)
        assert denial_covers(strong, weak)


@given(GRANTS)
def test_reading_never_covers_writing(grant: Grant) -> None:
    other = "messaging.write"
    if grant.permission == other:
        other = "messaging.read"
    assert not grant_covers(grant, Grant(other, grant.scope))


@pytest.mark.parametrize(
    "bad",
    [
        Grant("messaging.read", "a..b"),
        Grant("messaging.write", "a*"),
        Grant("app.send", "desk.*"),
        Grant("app.send", "desk feed"),
        Grant("secrets", "desk.feed"),
    ],
)
def test_a_scope_outside_the_grammar_is_refused(bad: Grant) -> None:
    with pytest.raises(DeskbusError):
        check_scope(bad)
