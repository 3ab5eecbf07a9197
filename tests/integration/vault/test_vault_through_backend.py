"""`deskbus vault` where a backend runs: the backend does it, and the answer says which did."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.integration.commands.test_cli import headless
from tests.integration.vault.test_vault import vault_command

pytestmark = [
    pytest.mark.requirement("3.3"),
    pytest.mark.skipif(sys.platform == "win32", reason="there are no descriptors to hand over"),
]

FIRST, SECOND = "first password", "second password"


async def vault(data: Path, *words: str, **given: Any) -> tuple[int, dict[str, Any], str]:
    return await anyio.to_thread.run_sync(partial(vault_command, data, *words, **given))


async def test_the_running_backend_is_unlocked_locked_changed_and_moved(
    tmp_path: Path, anyio_backend: str
) -> None:
    data, file = tmp_path / "data", str(tmp_path / "export")
    code, made, _ = await vault(data, "change-password", passwords=("", FIRST))
    assert (code, made["doneBy"]) == (0, "command")
    await vault(data, "set", "broker", passwords=(FIRST,), given=b"value\r\n")
    async with headless(data):
        code, found, _ = await vault(data, "unlock", passwords=(FIRST,))
        assert (code, found["doneBy"], found["state"]) == (0, "backend", "unlocked")
        # The next command finds it open: the backend itself was unlocked.
        assert (await vault(data, "status"))[1]["state"] == "unlocked"
        assert (await vault(data, "lock"))[1]["state"] == "locked"
        assert (await vault(data, "unlock", passwords=(SECOND,)))[0] == 1
        assert (await vault(data, "status"))[1]["state"] == "locked"
        changed = await vault(data, "change-password", passwords=(FIRST, SECOND))
        assert changed[0] == 0
        before = (await vault(data, "status"))[1]["keysRotated"]
        assert (await vault(data, "rotate"))[1]["keysRotated"] > before
        assert (await vault(data, "export", file, passwords=("", SECOND)))[0] == 0
        assert (await vault(data, "unset", "broker"))[1]["doneBy"] == "backend"
        assert (await vault(data, "import", file, passwords=("", FIRST)))[0] == 1
        assert (await vault(data, "import", file, passwords=("", SECOND)))[0] == 0
        code, _, told = await vault(data, "change-password", passwords=("", "x"))
        assert (code, "8 characters" in told) == (2, True)
        code, _, told = await vault(data, "change-password")
        assert (code, "--new-password-fd" in told) == (2, True)
    code, found, _ = await vault(data, "unlock", passwords=(SECOND,))
    assert (code, found["doneBy"], found["records"] >= 1) == (0, "command", True)


async def test_nothing_is_kept_in_a_backend_s_memory_as_if_it_lasted(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with headless(tmp_path / "data"):
        code, _, told = await vault(tmp_path / "data", "set", "broker", given=b"value")
    assert (code, "no keychain" in told) == (1, True)
