"""No process outlives a backend that is killed; `make crash-test` is the long form."""

import random
from pathlib import Path

import pytest

from tests.integration.processes.orphans_after_kill import kill_round

ROUNDS = 4


@pytest.mark.serial
@pytest.mark.requirement("4.5")
async def test_nothing_is_left_of_the_apps_of_a_killed_backend(tmp_path: Path) -> None:
    chance = random.Random(20_26)
    for number in range(ROUNDS):
        await kill_round(tmp_path / f"{number}", chance)
