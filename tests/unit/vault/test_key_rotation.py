"""New keys: the records stay, or are sealed anew, and the old keys are forgotten."""

from pathlib import Path

import pytest

from deskbus.vault.cipher import SealError
from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.records.sealed_records import Name
from tests.unit.vault.fakes import OTHER, TOKEN, FakeKeychain, reopened, vault_in


def keyset_of(folder: Path) -> bytes:
    return (folder / "keyset").read_bytes()


@pytest.mark.requirement("3.3")
def test_rotating_the_kek_leaves_the_records_as_they_are(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    packs = {p.name: p.read_bytes() for p in folder.glob("*.pack")}
    entry, keyset = dict(keychain.entries), keyset_of(folder)
    vault.rotate_kek()
    assert keyset_of(folder) != keyset
    assert keychain.entries.keys() == entry.keys()
    assert keychain.entries != entry
    assert {p.name: p.read_bytes() for p in folder.glob("*.pack")} == packs
    vault = reopened(vault, folder, keychain)
    assert vault.get(TOKEN) == b"one"
    vault.close()
    keychain.entries.update(entry)
    with pytest.raises(VaultLockedError):
        vault.get(TOKEN)


@pytest.mark.requirement("3.3")
def test_rotating_the_data_keys_seals_every_record_anew(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    names = [Name("apps", "desk.feed", str(n)) for n in range(600)]
    vault.put_all((name, name.name.encode()) for name in names)
    packs = {p.name for p in folder.glob("*.pack")}
    seen: list[tuple[int, int]] = []
    vault.rotate_keys(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(256, 600), (512, 600), (600, 600)]
    assert packs.isdisjoint(p.name for p in folder.glob("*.pack"))
    assert vault._opened is not None
    assert all(key.primary for key in vault._opened.keys)
    vault = reopened(vault, folder, keychain)
    assert all(vault.get(name) == name.name.encode() for name in names)


@pytest.mark.requirement("3.3")
def test_a_lazy_rotation_seals_records_when_they_are_written(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put_all([(TOKEN, b"one"), (OTHER, b"two")])
    vault.rotate_keys(reseal=False)
    assert vault.status().outdated == 2
    vault.put(TOKEN, b"three")
    vault = reopened(vault, folder, keychain)
    assert (vault.get(TOKEN), vault.get(OTHER)) == (b"three", b"two")
    assert vault.status().outdated == 1
    vault.reseal()
    assert vault.status().outdated == 0
    assert vault.get(OTHER) == b"two"


@pytest.mark.requirement("3.3")
def test_a_damaged_record_holds_up_no_other_when_keys_are_rotated(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    (pack,) = folder.glob("*.pack")
    vault.put(OTHER, b"two")
    kept = pack.read_bytes()
    pack.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(SealError):
        vault.rotate_keys()
    assert (vault.get(OTHER), vault.status().outdated) == (b"two", 1)
    # Its key is kept, so nothing is lost that could be put right.
    pack.write_bytes(kept)
    vault = reopened(vault, folder, keychain)
    assert vault.get(TOKEN) == b"one"
    vault.reseal()
    assert vault.status().outdated == 0
