"""How xdist shares the tests out: a file stays with one worker, and `serial` tests run alone.

What measures time, or counts what the whole machine runs, would measure the other workers too.
Long files begin first. Of the others those come first that wait for processes, and last those that
are quick, for a file that begins late keeps one worker busy while the others have nothing to do.
"""

import os
import re
from pathlib import Path

import pytest
from _pytest.nodeid import coerce_node_id
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

SERIAL = "serial"
UNIT = Path(__file__).parent / "unit"
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def name_alike(items: list[pytest.Item]) -> None:
    """Takes addresses of objects out of the tests' ids, which all workers have to have alike."""
    for number, item in enumerate(items):
        if ADDRESS.search(item.nodeid):
            rename(item, ADDRESS.sub(f" {number}", item.nodeid))


def put_apart(items: list[pytest.Item]) -> None:
    """Moves serial tests to the end, and the files that take long to the beginning.

    Workers tell of serial tests by their ids, for lack of other means.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (is_serial(item), item.path not in slow, UNIT in item.path.parents))
    for item in filter(is_serial, items):
        if "PYTEST_XDIST_WORKER" in os.environ:
            rename(item, f"{item.nodeid}@{SERIAL}")


def is_serial(item: pytest.Item) -> bool:
    return item.get_closest_marker(SERIAL) is not None


def rename(item: pytest.Item, nodeid: str) -> None:
    """Pytest has no public way; xdist's own, for its groups, does nothing since pytest 9.2."""
    item._id = coerce_node_id(nodeid)
    assert item.nodeid == nodeid


class FilesThenSerial(LoadScopeScheduling):  # type: ignore[misc]
    """Files in the order in which they were found; serial tests when one worker is left."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def remove_node(self, node: WorkerController) -> str | None:
        crashed: str | None = super().remove_node(node)
        for left in self.nodes:
            self._reschedule(left)
        return crashed

    def _split_scope(self, nodeid: str) -> str:
        return SERIAL if nodeid.endswith(f"@{SERIAL}") else nodeid.split("::", 1)[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        if next(iter(self.workqueue)) != SERIAL or len(self.nodes) == 1:
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if list(self.workqueue) != [SERIAL] or node.shutting_down:
            super()._reschedule(node)
            return
        # A worker keeps its last test until it is told what follows, or that nothing does.
        if any(not other.shutting_down for other in self.nodes if other is not node):
            node.shutdown()
        elif len(self.nodes) == 1:
            super()._reschedule(node)
            if not self.workqueue:
                node.shutdown()
