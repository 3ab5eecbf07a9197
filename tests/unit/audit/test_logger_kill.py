"""kill -9 while the audit log is written: nothing that was visible is lost, and nothing accuses."""

import sys
from pathlib import Path

import pytest

from tests.unit.audit.kills import Killer

ROUNDS = 25
"""`make crash-test` does a hundred."""


@pytest.mark.slow
@pytest.mark.requirement("8.4")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    killer = Killer(tmp_path / "audit", seed=20260101)
    verdicts = set()
    for _ in range(ROUNDS):
        left = killer.round()
        assert left.verdict != "TAMPERED", left.reason
        assert left.found == left.committed
        assert not left.set_aside
        verdicts.add(left.verdict)
    assert left.committed > ROUNDS
