"""A message acknowledged as durable survives SIGKILL; `make crash-test` is the long form."""

import random
from pathlib import Path

import pytest

from tests.integration.persistence.durability_under_kill import CrashTest

ROUNDS = 6


@pytest.mark.requirement("R")
@pytest.mark.requirement("2.1")
async def test_nothing_acknowledged_is_lost_when_the_backend_is_killed(tmp_path: Path) -> None:
    crashes = CrashTest(tmp_path / "data", random.Random(20_26))
    outcomes = [await crashes.round() for _ in range(ROUNDS)]
    assert sum(outcome.acknowledged for outcome in outcomes) > 100
