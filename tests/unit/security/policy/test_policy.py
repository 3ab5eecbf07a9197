"""An administrator's policy: the first rule that fits, and none that can be got past."""

import os
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.policy.policy import DENY_ALL, NO_POLICY, Policy, PolicyRule
from deskbus.security.policy.policy_file import MAX_BYTES, PolicyError, PolicyFile
from deskbus.security.policy.policy_service import PolicyService
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant
from deskbus_protocol.topics import matches
from tests.support.audit_trail import FakeTrail
from tests.unit.security.desk import READ, TICKER, WRITE, Desk, says

pytestmark = pytest.mark.requirement("3.2")

RULES = GrantMatching(Catalogue())

LEVELS = st.sampled_from(["a", "b"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=3).map(".".join)
PATTERNS = (
    st.lists(LEVELS | st.sampled_from(["*", "#"]), min_size=1, max_size=3)
    .map(".".join)
    .filter(lambda pattern: "#.#" not in pattern)
)
EFFECTS = st.sampled_from(["allow", "deny", "ask"])
LINES = st.builds(
    PolicyRule,
    app=st.sampled_from(["*", "desk.*", "desk.ticker", "other.app"]),
    permission=st.just("messaging.read"),
    scope=PATTERNS,
    effect=EFFECTS,
)


def effect_of(lines: list[PolicyRule], wanted: Grant, app: str = "desk.ticker") -> str | None:
    return Policy(lines).for_app(app).effect(RULES, wanted)


@given(st.lists(LINES, max_size=5), PATTERNS, TOPICS)
def test_who_is_allowed_a_pattern_is_denied_none_of_its_topics(
    lines: list[PolicyRule], pattern: str, topic: str
) -> None:
    if matches(pattern, topic) and effect_of(lines, Grant("messaging.read", pattern)) == "allow":
        assert effect_of(lines, Grant("messaging.read", topic)) == "allow"


@given(st.lists(LINES, max_size=5), PATTERNS, TOPICS)
def test_a_topic_that_is_denied_is_got_under_no_pattern(
    lines: list[PolicyRule], pattern: str, topic: str
) -> None:
    if matches(pattern, topic) and effect_of(lines, Grant("messaging.read", topic)) == "deny":
        assert effect_of(lines, Grant("messaging.read", pattern)) in ("deny", "ask")


def test_the_first_rule_that_fits_decides() -> None:
    site = PolicyRule(permission="network", scope="https://*.a.de", effect="allow")
    rest = PolicyRule(permission="network", effect="deny")
    assert effect_of([site, rest], Grant("network", "https://x.a.de")) == "allow"
    assert effect_of([site, rest], Grant("network", "https://b.de")) == "deny"
    assert effect_of([rest, site], Grant("network", "https://x.a.de")) == "deny"
    assert effect_of([site], Grant("network", "https://b.de")) is None


def test_a_rule_is_about_the_apps_that_it_names() -> None:
    rule = PolicyRule(app="desk.*", permission="history", effect="deny")
    assert effect_of([rule], Grant("history", "a"), "desk.ticker") == "deny"
    assert effect_of([rule], Grant("history", "a"), "desk") is None
    assert effect_of([rule], Grant("history", "a"), "desktop.ticker") is None


def test_to_deny_reading_files_denies_changing_them_and_to_allow_changing_allows_reading() -> None:
    deny = [PolicyRule(permission="filesystem.read", scope="/a", effect="deny")]
    assert effect_of(deny, Grant("filesystem.write", "/a/b")) == "deny"
    allow = [PolicyRule(permission="filesystem.write", scope="/a", effect="allow")]
    assert effect_of(allow, Grant("filesystem.read", "/a/b")) == "allow"


async def test_policy_outranks_what_a_person_decided_before_at_once() -> None:
    desk = Desk()
    desk.person = says("allow", "always")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
        assert desk.security.checker.may_read(TICKER, "prices.a")
        desk.security.apply(Policy([PolicyRule(permission="messaging.read", effect="deny")]))
        assert not desk.security.checker.may_read(TICKER, "prices.a")
        assert not await desk.security.permissions.request(TICKER, READ)
        assert len(desk.asked) == 1


async def test_policy_allows_what_a_person_denied_but_not_what_is_undeclared() -> None:
    desk = Desk()
    desk.person = says("deny", "always")
    async with desk.running():
        assert not await desk.security.permissions.request(TICKER, READ)
        desk.security.apply(Policy([PolicyRule(permission="messaging.read", effect="allow")]))
        assert await desk.security.permissions.request(TICKER, READ)
        assert not await desk.security.permissions.request(TICKER, Grant("messaging.read", "other"))
        assert len(desk.asked) == 1


async def test_ask_overrides_the_configuration_and_what_was_remembered() -> None:
    desk = Desk(grants=(WRITE,))
    desk.person = says("allow", "always")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
        desk.security.apply(
            Policy(
                [
                    PolicyRule(permission=name, effect="ask")
                    for name in (
                        "messaging.read",
                        "messaging.write",
                    )
                ]
            )
        )
        assert await desk.security.permissions.state(TICKER, READ) == "prompt"
        assert await desk.security.permissions.state(TICKER, WRITE) == "prompt"
        desk.person = says("allow", "session")
        assert await desk.security.permissions.request(TICKER, READ)
        assert not desk.asked[-1].may_remember
        assert await desk.security.permissions.state(TICKER, READ) == "granted"


def file_of(tmp_path: Path, text: str | bytes) -> PolicyFile:
    path = tmp_path / "policy.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return PolicyFile(path, Catalogue(), required=False)


def test_a_file_is_read_with_its_scopes_made_canonical(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    text = f"""
        [[rules]]
        app = "desk.*"
        permission = "filesystem.read"
        scope = "{tmp_path}/link/../link/a"
        effect = "allow"
        [[rules]]
        permission = "network"
        scope = "HTTPS://A.de:443"
        effect = "deny"
    """
    scopes = [rule.scope for rule in file_of(tmp_path, text).read().rules]
    assert scopes == [f"{tmp_path.resolve()}/real/a", "https://a.de"]


@pytest.mark.parametrize(
    "text",
    [
        "[[rules",
        b"\xff",
        'rules = "all"',
        '[[rules]]\npermission = "network"\neffect = "perhaps"',
        '[[rules]]\npermission = "netwrok"\neffect = "deny"',
        '[[rules]]\npermission = "network"\nscope = "not an origin"\neffect = "deny"',
        '[[rules]]\npermission = "*"\nscope = "x"\neffect = "deny"',
        '[[rules]]\npermission = "network"\neffect = "deny"\nscpoe = "*"',
        '[[rules]]\napp = "Desk"\npermission = "network"\neffect = "deny"',
    ],
)
def test_a_file_that_says_nothing_certain_is_refused_whole(
    tmp_path: Path, text: str | bytes
) -> None:
    with pytest.raises(PolicyError):
        file_of(tmp_path, text).read()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            'effct = "deny"',
            "toml:7: rules[1].effct: There is no such key. Did you mean effect?",
        ),
        ('effect = "dney"', "policy.toml:7: rules[1].effect: dney is none of the values"),
        ('effect = "deny"\nscope = "no origin"', "policy.toml:8: rules[1].scope: "),
        ("effect = deny", "policy.toml:7: It is not TOML: "),
        ('permission = "netwrok"', "policy.toml:7: It is not TOML: Cannot overwrite a value"),
    ],
)
def test_an_error_names_the_line_and_what_was_meant(tmp_path: Path, wrong: str, words: str) -> None:
    first = '[[rules]]\npermission = "network"\neffect = "ask"\n\n'
    text = f'{first}[[rules]]\npermission = "network"\n{wrong}'
    with pytest.raises(PolicyError) as failed:
        file_of(tmp_path, text).read()
    assert words in str(failed.value)


def test_a_permission_that_is_not_there_is_told_with_those_that_come_near(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"toml:2: .*Did you mean network\?"):
        file_of(tmp_path, '[[rules]]\npermission = "netwrok"\neffect = "deny"').read()


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("what", ["dangling link", "folder", "pipe", "empty", "blank", "loop"])
async def test_only_where_none_is_configured_at_all_there_is_none(
    tmp_path: Path, what: str, required: bool
) -> None:
    """Anything else in its place denies everything, and health says so."""
    path = tmp_path / "policy.toml"
    desk = Desk(grants=(READ,))
    assert PolicyFile(path, Catalogue(), required=False).read() is NO_POLICY
    match what:
        case "dangling link":
            path.symlink_to(tmp_path / "gone.toml")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "empty" | "blank":
            path.write_text("" if what == "empty" else " \n\n")
    file = PolicyFile(path, Catalogue(), required=required)
    with anyio.fail_after(20), pytest.raises(PolicyError):
        await anyio.to_thread.run_sync(file.read, abandon_on_cancel=True)
    keeper = PolicyService(file, desk.security.apply, desk.trail)
    async with desk.running():
        await keeper.start()
        assert keeper.problem is not None
        assert not desk.security.checker.may_read(TICKER, "prices.a")


def test_a_file_that_everybody_can_write_to_is_refused(tmp_path: Path) -> None:
    file = file_of(tmp_path, "# nothing\n")
    file.path.chmod(0o666)
    with pytest.raises(PolicyError, match="everybody"):
        file.read()


def test_a_file_that_is_too_large_is_refused_and_not_cut_off_before_its_last_rule(
    tmp_path: Path,
) -> None:
    allow = '[[rules]]\npermission = "network"\nscope = "https://a.de"\neffect = "allow"\n'
    padding = "#" * (MAX_BYTES - len(allow) - 1) + "\n"
    with pytest.raises(PolicyError, match="larger"):
        file_of(tmp_path, allow + padding + DENY_NETWORK).read()


DENY_NETWORK = '[[rules]]\npermission = "network"\neffect = "deny"'


async def test_a_broken_file_at_the_start_denies_everything_until_it_is_right(
    tmp_path: Path,
) -> None:
    desk = Desk(grants=(READ,))
    file = file_of(tmp_path, "[[rules")
    keeper = PolicyService(file, desk.security.apply, desk.trail)
    async with desk.running():
        await keeper.start()
        assert not desk.security.checker.may_read(TICKER, "prices.a")
        assert keeper.status().problem
        file.path.write_text(DENY_NETWORK)
        await keeper.reload()
        assert desk.security.checker.may_read(TICKER, "prices.a")
        assert keeper.problem is None
        assert "PolicyChanged" in desk.trail.kinds()


@pytest.mark.parametrize("change", ["broken", "gone", "unrecorded"])
async def test_a_reload_that_fails_leaves_what_stood(tmp_path: Path, change: str) -> None:
    applied: list[Policy] = []
    trail = FakeTrail()
    file = file_of(tmp_path, DENY_NETWORK)
    keeper = PolicyService(file, applied.append, trail)
    await keeper.start()
    if change == "broken":
        file.path.write_text("[[rules")
    elif change == "gone":
        file.path.unlink()
    else:
        file.path.write_text("")
        trail.is_full = True
    with pytest.raises(DeskbusError):
        await keeper.reload()
    assert len(applied) == 1
    assert [rule.permission for rule in applied[0].rules] == ["network"]


async def test_no_file_is_no_policy_unless_the_configuration_names_it(tmp_path: Path) -> None:
    applied: list[Policy] = []
    for required in (False, True):
        file = PolicyFile(tmp_path / "none.toml", Catalogue(), required=required)
        await PolicyService(file, applied.append, FakeTrail()).start()
    assert applied[0].rules == ()
    assert applied[1] is DENY_ALL
