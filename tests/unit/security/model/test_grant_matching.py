"""Coverage of grants and denials, under every order of strong and weak."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.model.scope_grammar import canonical_origin
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant, PermissionEntry
from deskbus_protocol.topics import matches

pytestmark = pytest.mark.requirement("3.2")

RULES = GrantMatching(Catalogue())

LEVELS = st.sampled_from(["a", "b"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map(".".join)
PATTERNS = (
    st.lists(LEVELS | st.sampled_from(["*", "#"]), min_size=1, max_size=4)
    .map(".".join)
    .filter(lambda pattern: "#.#" not in pattern)
)
PATHS = st.lists(st.sampled_from(["a", "b", "A", "ab"]), max_size=4).map(
    lambda p: "/" + "/".join(p)
)
HOSTS = st.sampled_from(
    ["*", "https://a.de", "https://*.a.de", "https://b.a.de", "https://*.b.a.de", "http://a.de"]
)
GRANTS = (
    st.builds(Grant, st.sampled_from(["messaging.read", "messaging.write", "history"]), PATTERNS)
    | st.builds(Grant, st.sampled_from(["filesystem.read", "filesystem.write"]), PATHS)
    | st.builds(Grant, st.just("network"), HOSTS)
    | st.builds(Grant, st.sampled_from(["app.send", "process.launch"]), st.sampled_from("ab"))
)


@given(GRANTS)
def test_every_grant_covers_and_denies_itself(grant: Grant) -> None:
    RULES.check(grant)
    assert RULES.covers(grant, grant) or "#" in grant.scope
    assert RULES.denies(grant, grant)


@given(GRANTS, GRANTS, GRANTS)
def test_covering_goes_on_from_one_to_the_next(wide: Grant, middle: Grant, narrow: Grant) -> None:
    if RULES.covers(wide, middle) and RULES.covers(middle, narrow):
        assert RULES.denies(narrow, wide)
        assert RULES.denies(middle, wide)


@given(GRANTS, GRANTS)
def test_denying_the_weak_denies_the_strong(strong: Grant, weak: Grant) -> None:
    if RULES.covers(strong, weak):
        assert RULES.denies(weak, strong)


@given(GRANTS, GRANTS, TOPICS)
def test_what_a_strong_grant_covers_it_also_permits(strong: Grant, weak: Grant, topic: str) -> None:
    one = Grant(weak.permission, topic)
    if weak.permission.startswith("messaging") and RULES.covers(weak, one):
        assert RULES.covers(strong, one) or not RULES.covers(strong, weak)


@given(PATTERNS, PATTERNS, TOPICS)
def test_a_pattern_is_denied_as_soon_as_one_topic_is_in_both(
    denied: str, wanted: str, topic: str
) -> None:
    if matches(denied, topic) and matches(wanted, topic):
        assert RULES.denies(Grant("messaging.read", denied), Grant("messaging.read", wanted))


@given(PATTERNS, st.lists(TOPICS, max_size=3))
def test_a_denial_of_other_topics_denies_nothing(pattern: str, topics: list[str]) -> None:
    for topic in topics:
        denied = RULES.denies(Grant("messaging.read", topic), Grant("messaging.read", pattern))
        assert denied == matches(pattern, topic)


def test_changing_files_includes_reading_them_and_not_the_other_way_round() -> None:
    read, write = Grant("filesystem.read", "/a"), Grant("filesystem.write", "/a")
    assert RULES.covers(write, read)
    assert not RULES.covers(read, write)
    assert RULES.denies(read, write)
    assert not RULES.denies(write, read)


@given(PATHS, PATHS)
def test_a_path_is_covered_only_by_itself_and_what_is_above(wide: str, narrow: str) -> None:
    is_below = narrow == wide or wide == "/" or narrow.startswith(wide + "/")
    assert (
        RULES.covers(Grant("filesystem.read", wide), Grant("filesystem.read", narrow)) == is_below
    )


@pytest.mark.parametrize(
    ("denied", "wanted"),
    [
        ("/data/Secret", "/data/secret"),
        ("/data/secret", "/data"),
        ("/data/é", "/data/e\u0301/file"),
        ("/data/ﬁle", "/data/file"),
    ],
)
def test_a_denied_path_is_denied_in_every_case_and_unicode_form(denied: str, wanted: str) -> None:
    given_ = Grant("filesystem.read", denied)
    assert RULES.denies(given_, Grant("filesystem.read", wanted))
    assert not RULES.covers(given_, Grant("filesystem.read", wanted))


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("https://*.a.de", "https://x.a.de", True),
        ("https://*.a.de", "https://x.y.a.de", True),
        ("https://*.a.de", "https://*.x.a.de", True),
        ("https://*.a.de", "https://a.de", False),
        ("https://*.a.de", "https://eva.de", False),
        ("https://*.a.de", "http://x.a.de", False),
        ("https://*.a.de", "https://x.a.de:8443", False),
        ("https://*.x.a.de", "https://*.a.de", False),
        ("*", "http://[::1]:80", True),
        ("https://a.de", "*", False),
    ],
)
def test_origins_cover_what_they_say(wide: str, narrow: str, covered: bool) -> None:
    assert RULES.covers(Grant("network", wide), Grant("network", narrow)) is covered


@pytest.mark.parametrize(
    "bad",
    [
        Grant("messaging.read", "a..b"),
        Grant("messaging.write", "a*"),
        Grant("app.send", "desk.*"),
        Grant("app.send", "desk feed"),
        Grant("app.send", "dеsk.feed"),
        Grant("secrets", "desk.feed"),
        Grant("media.camera", "front"),
        Grant("filesystem.read", "relative"),
        Grant("filesystem.read", "/a/../b"),
        Grant("filesystem.read", "/a/."),
        Grant("filesystem.read", "/a//b"),
        Grant("filesystem.read", "/a/"),
        Grant("filesystem.read", "/a/e\u0301"),
        Grant("filesystem.read", "/a\u202etxt"),
        Grant("network", "https://Example.com"),
        Grant("network", "https://a.de:443"),
        Grant("network", "https://a.de/path"),
        Grant("network", "https://user@a.de"),
        Grant("network", "https://*.de"),
        Grant("network", "https://a.de."),
        Grant("network", "http://127.1"),
        Grant("network", "http://2130706433"),
        Grant("network", "http://0x7f.0.0.1"),
        Grant("network", "http://127.0.0.01"),
        Grant("network", "http://[0:0:0:0:0:0:0:1]"),
        Grant("network", "http://[::ffff:127.0.0.1]"),
        Grant("network", "http://[1:2]"),
        Grant("network", "https://bücher.de"),
        Grant("network", "file:///etc"),
        Grant("network", "https://a.de:99999"),
        Grant("no.such", "all"),
        Grant("system.tray", "all"),
    ],
)
def test_a_scope_outside_the_grammar_or_a_permission_nobody_enforces_is_refused(
    bad: Grant,
) -> None:
    with pytest.raises(DeskbusError):
        RULES.check(bad)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
        ("http://[2001:DB8:0:0:1:0:0:1]:8080", "http://[2001:db8::1:0:0:1]:8080"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("wss://*.A.de:443/", "wss://*.a.de"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
    ],
)
def test_an_origin_has_the_one_spelling_that_a_browser_gives_it(
    written: str, canonical: str
) -> None:
    assert canonical_origin(written) == canonical


def test_a_permission_includes_what_it_implies_over_any_number_of_steps_and_in_a_circle() -> None:
    def entry(name: str, *implies: str) -> PermissionEntry:
        return PermissionEntry(
            name=name, risk="low", scope="word", enforced_by="method", implies=implies
        )

    more = [entry("a", "b"), entry("b", "c"), entry("c", "a", "is.nowhere"), entry("d", "a")]
    rules = GrantMatching(Catalogue(more))
    circle = {"a", "b", "c"}
    assert all(rules.includes(name) == circle for name in circle)
    assert rules.includes("d") == {"d", *circle}
    assert rules.included_in("a") == {"d", *circle}
    assert rules.included_in("d") == {"d"}
    assert rules.includes("is.nowhere") == rules.included_in("is.nowhere") == frozenset()


@pytest.mark.parametrize(
    ("grant", "wide"),
    [
        (Grant("messaging.read", "prices.*"), True),
        (Grant("messaging.read", "prices.dax"), False),
        (Grant("filesystem.read", "/data"), True),
        (Grant("network", "https://a.de"), True),
        (Grant("app.send", "desk.feed"), False),
        (Grant("media.camera", "all"), False),
        (Grant("is.nowhere", "all"), False),
    ],
)
def test_a_grant_is_wide_where_it_can_cover_what_is_worded_otherwise(
    *, grant: Grant, wide: bool
) -> None:
    assert RULES.is_wide(grant) is wide
