"""AccessControl: the files that no app reaches, whatever it was permitted."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import deskbus
from deskbus.components.access.access_control import AccessControl
from deskbus.components.backend_run import BackendRun
from deskbus.components.user_interface import UserInterface
from deskbus.config import AppConfig, Config, Settings
from deskbus.vault.service import VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.manifest import Manifest
from deskbus_protocol.permissions import Grant
from tests.support.audit_trail import FakeTrail

assert deskbus.__file__ is not None
PACKAGE = Path(deskbus.__file__).resolve().parent
CHART = AppConfig(id="desk.chart", name="Chart")


@pytest.fixture
def access(tmp_path: Path) -> AccessControl:
    settings = Settings(
        config=Config(apps=[CHART]),
        folder=tmp_path / "configuration",
        data_dir=tmp_path / "data",
        runtime_dir=tmp_path / "runtime",
    )
    run = BackendRun(settings)
    return AccessControl(
        run,
        "ask",
        VaultService(Vault(settings.data_dir / "vault"), lambda _: None),
        UserInterface(run),
        SimpleNamespace(trail=FakeTrail()),  # type: ignore[arg-type]
    )


@pytest.mark.requirement("3.2")
def test_no_app_writes_to_any_module_of_the_backend(access: AccessControl) -> None:
    modules = list(PACKAGE.rglob("*.py"))
    assert len({path.parent for path in modules}) > 10
    for path in modules:
        with pytest.raises(DeskbusError):
            access.files.check_write(str(path))


@pytest.mark.requirement("3.2")
def test_no_app_reads_the_data_folder_or_writes_the_configuration(
    access: AccessControl, tmp_path: Path
) -> None:
    for folder in ("data", "runtime"):
        with pytest.raises(DeskbusError):
            access.files.check_read(str(tmp_path / folder / "file"))
    with pytest.raises(DeskbusError):
        access.files.check_write(str(tmp_path / "configuration" / "deskbus.toml"))
    access.files.check_write(str(tmp_path / "elsewhere" / "file"))


@pytest.mark.requirement("3.2")
async def test_an_app_that_a_directory_gives_more_is_known_all_the_time(
    access: AccessControl,
) -> None:
    """Else what a person allowed would count for nothing while its files are read once more."""
    await access.identify(CHART.id)
    known = access.security.apps.identity(CHART.id)
    assert known.bound
    given = Grant("messaging.read", "prices.#")
    access.declare_from_directory(Manifest(id=CHART.id, name="Chart"), Path(), [given])
    assert access.security.apps.identity(CHART.id) == known
    rules = access.security.apps.rules(CHART.id)
    assert rules is not None
    assert rules.grants == (given,)
