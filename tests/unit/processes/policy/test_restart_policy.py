"""When an app that ended comes back, under any sequence of runs and crashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.processes.policy.restart_policy import RestartPolicy
from deskbus_protocol.manifest import RestartSpec

SPEC = RestartSpec(first_s=0.5, longest_s=8, stable_s=60, crashes=3, within_s=300)
PATIENT = RestartSpec(first_s=0.5, longest_s=8, stable_s=60, crashes=100, within_s=300)


def restart_policy(spec: RestartSpec = SPEC, chance: float = 0.0) -> RestartPolicy:
    made = RestartPolicy(spec, chance=lambda: chance)
    made.launched()
    made.started(0.0)
    return made


@pytest.mark.requirement("6.2")
def test_the_delay_doubles_from_crash_to_crash_up_to_its_limit() -> None:
    assert RestartPolicy(PATIENT).restarts == 0
    watched = restart_policy(PATIENT)
    delays = []
    for now in range(7):
        delays.append(watched.ended(float(now), crashed=True).delay_s)
        watched.restarted(float(now))
    assert delays == [0.5, 1, 2, 4, 8, 8, 8]
    assert watched.restarts == 7


def test_only_a_stable_run_makes_the_delay_short_again() -> None:
    watched = restart_policy(PATIENT)
    assert watched.ended(1, crashed=True).delay_s == 0.5
    watched.restarted(2)
    assert watched.ended(2 + 59.9, crashed=True).delay_s == 1
    watched.restarted(70)
    assert watched.ended(70 + 60, crashed=True).delay_s == 0.5


def test_the_third_crash_within_five_minutes_is_left_to_a_person() -> None:
    watched = restart_policy()
    assert watched.ended(0, crashed=True).action == "restart"
    watched.restarted(1)
    assert watched.ended(200, crashed=True).action == "restart"
    watched.restarted(201)
    assert watched.ended(299.9, crashed=True).action == "give_up"


def test_crashes_longer_ago_do_not_count() -> None:
    watched = restart_policy()
    watched.ended(0, crashed=True)
    watched.restarted(1)
    watched.ended(150, crashed=True)
    watched.restarted(151)
    assert watched.ended(300, crashed=True).action == "restart"


def test_a_person_s_launch_forgives_everything() -> None:
    watched = restart_policy()
    for now in range(3):
        last = watched.ended(float(now), crashed=True)
        watched.started(float(now))
    assert last.action == "give_up"
    watched.launched()
    watched.started(4)
    assert watched.restarts == 0
    assert watched.ended(5, crashed=True) == ("restart", 0.5)


@pytest.mark.parametrize(
    ("when", "crashed", "action"),
    [
        ("on_crash", True, "restart"),
        ("on_crash", False, "stay"),
        ("always", False, "restart"),
        ("never", True, "stay"),
    ],
)
def test_an_app_comes_back_when_its_manifest_says_so(when: str, crashed: bool, action: str) -> None:
    spec = RestartSpec(when=when)  # type: ignore[arg-type]
    assert restart_policy(spec).ended(1, crashed=crashed).action == action


@given(
    st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=40),
    st.floats(0, 1, exclude_max=True),
)
def test_no_three_crashes_in_five_minutes_are_all_followed_by_a_restart(
    runs: list[tuple[float, bool]], chance: float
) -> None:
    watched = restart_policy(SPEC, chance)
    now = 0.0
    crashes: list[float] = []
    for ran, crashed in runs:
        now += ran
        decision = watched.ended(now, crashed=crashed)
        if not crashed:
            assert decision.action == "stay"
        else:
            crashes = [at for at in crashes if now - at < SPEC.within_s] + [now]
            assert (decision.action == "give_up") == (len(crashes) >= SPEC.crashes)
        if decision.action == "restart":
            assert SPEC.first_s / 2 <= decision.delay_s <= SPEC.longest_s
            now += decision.delay_s
        elif decision.action == "give_up":
            watched.launched()
            crashes = []
        watched.started(now)
