"""Matters for a person to see to: told once, the worst first, and nothing while all is well."""

import pytest
from msgspec import UNSET

from deskbus.components.control.operator_needs import needs_of
from deskbus_protocol.apps import AppState, AppStatus
from deskbus_protocol.control import Need
from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.secrets import VaultStatus

WELL = VaultStatus(state="unlocked")
OK = ComponentHealth(status="ok")


def needs(
    components: dict[str, ComponentHealth] | None = None,
    apps: list[AppStatus] | None = None,
    vault: VaultStatus = WELL,
    **counts: int,
) -> list[Need]:
    zero = {"dead_letters": 0, "slow_readers": 0, "full_queues": 0, "log_findings": 0}
    return needs_of(components or {}, apps or [], vault, **{**zero, **counts})


def app(state: AppState, detail: str = "") -> AppStatus:
    return AppStatus(app="a.b", name="B", state=state, windows=[], detail=detail or UNSET)


@pytest.mark.requirement("6.4")
def test_nothing_is_needed_while_all_is_well() -> None:
    everything = {"bus": OK, "disk": OK, "shell": ComponentHealth(status="off")}
    assert needs(everything, [app("ready"), app("stopped"), app("starting")]) == []


@pytest.mark.requirement("6.2")
def test_a_crash_loop_is_worse_than_a_restart_that_is_under_way() -> None:
    found = needs(apps=[app("restarting"), app("failed", "It crashed.")])
    assert [(need.kind, need.severity) for need in found] == [
        ("app_failed", "bad"),
        ("app_restarting", "caution"),
    ]
    assert (found[0].subject, found[0].name, found[0].detail) == ("a.b", "B", "It crashed.")


def test_a_locked_vault_says_whether_it_wants_a_password() -> None:
    [need] = needs(vault=VaultStatus(state="locked", needs_password=True))
    assert (need.kind, need.name) == ("vault_locked", "password")
    [need] = needs(vault=VaultStatus(state="memory"))
    assert (need.kind, need.severity) == ("vault_memory", "caution")


def test_the_trouble_of_a_component_is_told_once() -> None:
    bad = ComponentHealth(status="degraded", detail="why")
    found = needs({"apps": bad, "vault": bad, "bus": bad, "disk": bad, "web": bad})
    assert [(need.kind, need.subject) for need in found] == [
        ("disk", "disk"),
        ("component", "web"),
    ]
    assert found[0].detail == "why"


def test_counts_are_told_with_how_many() -> None:
    found = needs(dead_letters=3, slow_readers=2, full_queues=1, log_findings=4)
    assert {need.kind: need.count for need in found} == {
        "log_damaged": 4,
        "full_queues": 1,
        "slow_readers": 2,
        "dead_letters": 3,
    }
