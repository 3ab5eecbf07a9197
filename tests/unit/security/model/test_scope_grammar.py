"""Scopes: each kind's grammar, the one spelling of an origin, and the answers where in doubt."""

import pytest

from deskbus.security.model.scope_grammar import GRAMMARS, canonical_origin, check_scope
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import PermissionEntry, ScopeKind

pytestmark = pytest.mark.requirement("3.2")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("topics", ["a", "a.*", "#"], ["", "a..b", "a.#.#"]),
        ("app", ["desk.feed", "a-1"], ["", "Desk", "desk.", "1a", "a" * 129]),
        ("path", ["/", "/a/b"], ["a", "/a/", "/a/../b", "/a//b", "/.", "/a\0", "/a\n", "/e\u0301"]),
        ("origin", ["*", "https://a.de", "wss://*.a.de"], ["", "a.de", "https://A.de", "ftp://a"]),
        ("word", ["own"], ["a\n", "e\u0301"]),
    ],
)
def test_a_scope_is_in_the_grammar_or_refused(
    kind: ScopeKind, good: list[str], bad: list[str]
) -> None:
    for scope in good:
        GRAMMARS[kind].check(scope)
    for scope in bad:
        with pytest.raises(DeskbusError):
            GRAMMARS[kind].check(scope)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("HTTPS://A.de/", "https://a.de"),
        ("https://a.de:443", "https://a.de"),
        ("wss://a.de:8443", "wss://a.de:8443"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("http://127.1", None),
        ("http://0x7f.1", None),
        ("https://*.de", None),
        ("https://a.de:0443", None),
        ("https://a.de:65536", None),
        ("https://ä.de", None),
        ("https://a.de/path", None),
    ],
)
def test_an_origin_has_one_spelling_or_is_none(written: str, canonical: str | None) -> None:
    assert canonical_origin(written) == canonical


@pytest.mark.parametrize(
    ("kind", "wide", "narrow"),
    [
        ("topics", "a.#", "a.b"),
        ("path", "/a", "/a/b"),
        ("path", "/", "/a"),
        ("origin", "*", "https://a.de"),
        ("origin", "https://*.a.de", "https://b.a.de"),
    ],
)
def test_a_wide_scope_covers_a_narrow_one_and_not_the_reverse(
    kind: ScopeKind, wide: str, narrow: str
) -> None:
    grammar = GRAMMARS[kind]
    assert grammar.covers(wide, narrow)
    assert not grammar.covers(narrow, wide)
    assert grammar.meets(narrow, wide)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("path", "/a", "/ab"),
        ("origin", "https://*.a.de", "https://a.de"),
        ("origin", "https://*.a.de", "http://b.a.de"),
        ("app", "desk", "desk.feed"),
    ],
)
def test_neighbours_have_nothing_in_common(kind: ScopeKind, one: str, other: str) -> None:
    assert not GRAMMARS[kind].covers(one, other)
    assert not GRAMMARS[kind].meets(one, other)


def test_a_denied_path_is_met_in_any_case_and_a_granted_one_is_not_covered() -> None:
    paths = GRAMMARS["path"]
    assert paths.meets("/Secret", "/secret/ﬁle")
    assert not paths.covers("/Secret", "/secret/file")


def test_a_fixed_scope_is_the_word_of_its_permission() -> None:
    entry = PermissionEntry(
        name="secrets", risk="low", scope="fixed", enforced_by="method", word="own", points=()
    )
    check_scope(entry, "own")
    with pytest.raises(DeskbusError):
        check_scope(entry, "all")
