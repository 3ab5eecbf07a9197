"""Control groups, on files that stand for those of the kernel."""

from pathlib import Path

import pytest

from deskbus.processes.system.cgroups import ControlGroups, delegated_group
from deskbus_protocol.manifest import Limits

MEGABYTE = 1024 * 1024


@pytest.fixture
def group(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    own = tmp_path / "user.slice/app.scope"
    own.mkdir(parents=True)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (own / name).write_text("")
    return own


def test_the_group_that_this_process_is_in_is_found(tmp_path: Path, group: Path) -> None:
    membership = tmp_path / "self"
    membership.write_text("1:name=systemd:/x\n0::/user.slice/app.scope\n")
    assert delegated_group(membership, tmp_path) == group


@pytest.mark.parametrize("text", ["9:memory:/x\n", "0::/elsewhere\n", ""])
def test_without_a_group_of_version_two_that_is_ours_there_is_none(
    tmp_path: Path, group: Path, text: str
) -> None:
    membership = tmp_path / "self"
    membership.write_text(text)
    assert delegated_group(membership, tmp_path) is None
    assert delegated_group(tmp_path / "missing", tmp_path) is None


def test_an_app_s_limits_are_the_kernel_s_with_room_to_warn_first(group: Path) -> None:
    groups = ControlGroups(group, "test")
    assert groups.kind == "cgroup: cpu, memory, pids"
    resource_group = groups.make("desk.app", Limits(memory_mb=100, cpu_percent=50, processes=8))
    folder = Path(resource_group.entrance).parent
    assert folder.parent == group
    assert (folder / "memory.max").read_text() == str(125 * MEGABYTE)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "20"
    assert (folder / "cpu.max").read_text() == "62500 100000"
    resource_group.limit(Limits())
    assert (folder / "memory.max").read_text() == "max"
    assert (folder / "cpu.max").read_text() == "max 100000"


def test_a_whole_group_is_killed_at_one_stroke_and_its_want_of_memory_known(group: Path) -> None:
    resource_group = ControlGroups(group, "test").make("desk.app", Limits())
    folder = Path(resource_group.entrance).parent
    assert not resource_group.out_of_memory()
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert not resource_group.out_of_memory()
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert resource_group.out_of_memory()
    resource_group.kill()
    assert (folder / "cgroup.kill").read_text() == "1"


def test_where_no_group_can_be_made_the_app_runs_without(group: Path) -> None:
    groups = ControlGroups(group, "test")
    taken = group / "deskbus-test-1-desk.app"
    taken.mkdir()
    resource_group = groups.make("desk.app", Limits())
    assert resource_group.entrance == ""
