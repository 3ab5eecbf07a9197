"""The suite's order: what measures time runs when no other test does, and nothing is left out."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from tests.scheduling import FilesThenSerial, is_serial, name_alike

FILES = [f"tests/test_{name}.py::test_{number}" for name in "abc" for number in range(4)]
ALONE = [f"tests/test_{name}.py::test_alone@serial" for name in "abc"]
COLLECTED = [*FILES, *ALONE]


class Worker:
    """Runs what it was sent, but its last test only once it knows what follows, as xdist's do."""

    def __init__(self, name: str) -> None:
        self.gateway = self
        self.id = name
        self.queue: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def runs(self) -> int | None:
        return self.queue[0] if len(self.queue) > 1 or (self.queue and self.shutting_down) else None


def order_of(collected: list[str], workers: int) -> list[tuple[str, int]]:
    """Each test with how many workers ran one at that moment, itself included."""
    config: Any = SimpleNamespace(
        getvalue=lambda _: ["popen"] * workers, option=SimpleNamespace(loadscopereorder=True)
    )
    scheduler: Any = FilesThenSerial(config)
    nodes = [Worker(f"gw{number}") for number in range(workers)]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, collected)
    scheduler.schedule()
    order = []
    while running := [node for node in nodes if node.runs is not None]:
        node = running[-1]
        order.append((collected[node.queue[0]], len(running)))
        scheduler.mark_test_complete(node, node.queue.pop(0))
        for done in [each for each in scheduler.nodes if each.shutting_down and not each.queue]:
            scheduler.remove_node(done)
    return order


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "collected", [COLLECTED, FILES, ALONE, [*FILES[:4], *ALONE], [*FILES[:2], *ALONE[:1]]], ids=len
)
def test_every_test_runs_once_and_serial_ones_alone_at_the_end(
    collected: list[str], workers: int
) -> None:
    order = order_of(collected, workers)
    names = [name for name, _ in order]
    assert sorted(names) == sorted(collected)
    alone = [name for name in collected if name in ALONE]
    assert names[len(names) - len(alone) :] == alone
    assert {beside for name, beside in order if name in ALONE} <= {1}


def test_a_file_stays_with_one_worker() -> None:
    names = [name for name, _ in order_of(FILES, 1)]
    assert names == FILES


@pytest.mark.parametrize("_", [object(), iter([])], ids=repr)
def test_an_address_in_an_id_is_the_same_for_all_workers(
    request: pytest.FixtureRequest, _: object
) -> None:
    assert " at 0x" not in request.node.nodeid
    assert " at 0x" in request.node.name
    others = {item.nodeid for item in request.session.items if item.name != request.node.name}
    assert request.node.nodeid not in others


def test_ids_without_an_address_are_left_alone(request: pytest.FixtureRequest) -> None:
    before = request.node.nodeid
    name_alike([request.node])
    assert request.node.nodeid == before


@pytest.mark.serial
def test_files_with_slow_tests_run_first_and_serial_tests_told_by_their_ids_last(
    request: pytest.FixtureRequest,
) -> None:
    items = request.session.items
    assert is_serial(request.node)
    assert [is_serial(item) for item in items] == sorted(map(is_serial, items))
    others = [item for item in items if not is_serial(item)]
    slow = {item.path for item in others if item.get_closest_marker("slow")}
    assert [item.path not in slow for item in others] == sorted(
        item.path not in slow for item in others
    )
    marked = {item.nodeid.endswith("@serial") for item in items if is_serial(item)}
    assert marked == {"PYTEST_XDIST_WORKER" in os.environ}
