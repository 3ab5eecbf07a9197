"""How xdist shares the tests out: a file stays with one worker, and `serial` tests run alone.

What measures time, or counts what the whole machine runs, would measure the other workers too.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

SERIAL = "serial"


def put_apart(items: list[pytest.Item]) -> None:
    """Moves serial tests to the end, and into a group which xdist tells of in their ids."""
    for item in items:
        if item.get_closest_marker(SERIAL):
            item.add_marker(pytest.mark.xdist_group(SERIAL))
    items.sort(key=lambda item: item.get_closest_marker(SERIAL) is not None)


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
