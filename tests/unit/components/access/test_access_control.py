"""AccessControl: the files that no app reaches, whatever it was permitted."""

from pathlib import Path
from types import SimpleNamespace

import anyio
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


async def _compares_nothing(_: object) -> None:
    """Stands in for the comparison with the audit log."""


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
        SimpleNamespace(trail=FakeTrail(), compare_grants=_compares_nothing),  # type: ignore[arg-type]
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


@pytest.mark.requirement("3.2")
async def test_an_app_whose_files_can_not_be_judged_is_denied_and_holds_nobody_up(
    access: AccessControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault while its files are read must neither end the backend nor be waited for."""

    def fails(*_: object) -> None:
        raise RecursionError("a fault that nobody thought of")

    monkeypatch.setattr("deskbus.components.access.access_control.identify", fails)
    async with access.running():
        with anyio.fail_after(20):
            await access.security.apps.identified(CHART.id)
            with pytest.raises(DeskbusError, match="its files can't be read"):
                await access.check_launch(CHART.id)
        verdict = access.security.checker.verdict(CHART.id, Grant("messaging.read", "prices"))
        assert (verdict.state, verdict.why) == ("denied", "identity")


@pytest.mark.requirement("3.2")
async def test_decisions_that_can_not_be_read_allow_nothing_and_are_read_again(
    access: AccessControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskbus.reliability.loops.AGAIN_AFTER_S", 0.0)
    tried = 0

    async def read() -> None:
        nonlocal tried
        tried += 1
        if tried < 3:
            raise LookupError("a fault that nobody thought of")

    monkeypatch.setattr(access.store, "_read", read)
    async with access.running():
        with anyio.fail_after(20):
            await access.settle()
        assert tried == 3
        assert access._opened.is_set()
