"""An export of the vault opens on another machine, under its password."""

from pathlib import Path

import pytest

from deskbus.vault.cipher import SealError
from deskbus.vault.transfer import export_vault, import_vault
from tests.unit.vault.fakes import OTHER, TOKEN, FakeKeychain, password, vault_in


@pytest.mark.requirement("3.3")
def test_an_export_opens_on_another_machine_under_its_password(tmp_path: Path) -> None:
    here = vault_in(tmp_path / "here", FakeKeychain())
    here.put_all([(TOKEN, b"1"), (OTHER, b"2" * 300_000)])
    file = export_vault(here, password())
    assert b"desk.feed" not in file
    there = vault_in(tmp_path / "there", FakeKeychain())
    there.put(TOKEN, b"older")
    with pytest.raises(SealError):
        import_vault(there, file, password("wrong"))
    with pytest.raises(SealError):
        import_vault(there, file[:-1], password())
    assert there.get(TOKEN) == b"older"
    assert import_vault(there, file, password()) == 2
    assert (there.get(TOKEN), there.get(OTHER)) == (b"1", b"2" * 300_000)
