"""A data folder of an earlier version, whose vault a real gnome-keyring opens."""

import gc
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.processes.installed_apps import InstalledApps
from deskbus.security.decisions.decision_table import DecisionTable
from deskbus.vault.keys.keychain import find_keychain
from deskbus.vault.per_app_store import PerAppStore
from deskbus.vault.service import VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol.apps import SavedState
from deskbus_protocol.events import TicketUsed
from tests.data.make import (
    APP,
    DECISION,
    ENTRY,
    INSTALLED,
    RECORDS,
    STATE,
    audit_logger,
    decision_store,
)
from tests.integration.vault.secretservice import secret_service

DATA = Path(__file__).parents[2] / "data"
FOLDERS = sorted(DATA.glob("*-keychain"))

pytestmark = [
    pytest.mark.requirement("3.3"),
    pytest.mark.skipif(
        shutil.which("gnome-keyring-daemon") is None, reason="there is no gnome-keyring here"
    ),
    # keyring leaves its connection to the garbage collector when the keychain is locked.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A copy of the data folder, with its entry in the keychain."""
    folder = Path(shutil.copytree(request.param, tmp_path / "data"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    with secret_service(tmp_path / "home") as service:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", service.env["DBUS_SESSION_BUS_ADDRESS"])
        service.start()
        keychain = find_keychain("secret-service")
        assert keychain is not None
        entry = json.loads((folder / ENTRY).read_bytes())
        keychain.write(entry["name"], entry["value"])
        yield folder
        gc.collect()


@pytest.fixture
def vault(folder: Path) -> Iterator[VaultService]:
    service = VaultService(Vault(folder / "vault"), lambda _: None)
    yield service
    service.close()


async def test_remembered_decisions_count(folder: Path, vault: VaultService) -> None:
    ledger = DecisionTable()
    store = decision_store(folder, vault, ledger)
    assert await store.open()
    assert list(ledger) == [DECISION]
    assert store.problem is None
    await store.save()
    assert vault.status().kek_provider == "secret-service"


async def test_an_app_gets_its_saved_state(vault: VaultService) -> None:
    content = await PerAppStore(vault, "appstate", 1024).load(APP)
    assert msgspec.json.decode(content or b"", type=SavedState) == STATE


async def test_the_audit_log_verifies_and_is_written_on(folder: Path, vault: VaultService) -> None:
    audit = folder / "audit"
    assert verdict_of(audit) == ("OK", RECORDS)
    logger = audit_logger(folder, vault)
    async with logger.running():
        await logger.commit(TicketUsed(app=APP))
        assert logger.health().status == "ok"
        assert logger.anchor_keeper.sealed
    assert verdict_of(audit) == ("OK", RECORDS + 1)
    assert not list(audit.glob("set-aside-*"))


def test_installed_apps_are_there(folder: Path) -> None:
    installed = InstalledApps(folder, lambda *_: "")
    installed.load()
    assert installed.problem is None
    assert installed.apps == [INSTALLED]


def verdict_of(audit: Path) -> tuple[str, int]:
    verdict = Verifier(audit, own_key(audit)).run()
    return verdict.verdict, verdict.records
