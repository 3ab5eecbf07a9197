"""Data folders that earlier versions have written open with today's code."""

import shutil
from pathlib import Path

import pytest

from deskbus.components.messaging.sensitive_topics import SensitiveTopics
from deskbus.federation.position_file import PositionFile
from deskbus.persistence.log.message_log import MessageLog
from deskbus.vault.vault import Vault
from tests.data.make import PASSWORD, PLACE, SECRET
from tests.unit.persistence.rig import NOW_MS, read, seqs

DATA = Path(__file__).parent.parent / "data"
FOLDERS = sorted(path for path in DATA.iterdir() if path.name.replace(".", "").isdigit())


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(request.param, tmp_path / "data"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


def test_a_log_its_sealed_messages_and_the_vault_that_opens_them(folder: Path) -> None:
    vault = Vault(folder / "vault", find=lambda _name: None)
    vault.unlock(bytearray(PASSWORD))
    assert vault.get(SECRET) == b"kept"
    sealer = SensitiveTopics(vault, ["orders.own.#"])
    log = MessageLog(folder / "messages", clock_ms=lambda: NOW_MS, sealer=sealer)
    log.open()
    assert seqs(read(log)) == [1, 2]
    assert log.last_seqs() == {"orders.new": 1, "orders.own.a": 2}
    assert log.findings == []
    log.close()
    vault.close()


def test_the_place_of_the_federation(folder: Path) -> None:
    assert PositionFile(folder).load(2) == PLACE
