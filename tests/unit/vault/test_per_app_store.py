"""Places for values of the backend's own, and for one of each app."""

from pathlib import Path

import pytest

from deskbus.vault.per_app_store import PerAppStore
from deskbus.vault.service import SecretSlot, VaultService
from deskbus_protocol.errors import DeskbusError
from tests.unit.vault.fakes import FakeKeychain, vault_in

LIMIT_BYTES = 1024 * 1024


def service_in(folder: Path, *keychains: FakeKeychain) -> VaultService:
    return VaultService(vault_in(folder, *keychains), lambda _: None)


@pytest.mark.requirement("3.3")
async def test_an_anchor_that_was_saved_is_read_back_at_the_next_start(tmp_path: Path) -> None:
    keychain = FakeKeychain()
    service = service_in(tmp_path / "vault", keychain)
    anchor = SecretSlot(service, "audit", "anchor")
    assert not anchor.exists
    assert await anchor.load() is None
    for value in (b"first", b"second"):
        assert await anchor.save(value)
    service.close()
    service = service_in(tmp_path / "vault", keychain)
    assert await SecretSlot(service, "audit", "anchor").load() == b"second"
    assert await SecretSlot(service, "audit", "key").load() is None
    assert await SecretSlot(service, "audit", "anchor").clear()
    assert await SecretSlot(service, "audit", "anchor").load() is None


async def test_an_older_value_that_is_put_back_is_an_error_and_not_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    anchor = SecretSlot(service_in(folder, FakeKeychain()), "audit", "anchor")
    await anchor.save(b"first")
    (pack,) = folder.glob("*.pack")
    old = pack.read_bytes()
    await anchor.save(b"other")
    (pack,) = folder.glob("*.pack")
    pack.write_bytes(old)
    with pytest.raises(DeskbusError, match="changed from outside"):
        await anchor.load()


async def test_each_app_finds_what_it_saved_after_a_restart(tmp_path: Path) -> None:
    keychain = FakeKeychain()
    service = service_in(tmp_path / "vault", keychain)
    shelf = PerAppStore(service, "appstate", LIMIT_BYTES)
    assert await shelf.load("desk.feed") is None
    large = bytes(range(256)) * (LIMIT_BYTES // 256)
    assert await shelf.save("desk.feed", b"small")
    assert await shelf.save("desk.blotter", large)
    service.close()
    shelf = PerAppStore(service_in(tmp_path / "vault", keychain), "appstate", LIMIT_BYTES)
    assert await shelf.load("desk.feed") == b"small"
    assert await shelf.load("desk.blotter") == large
    assert await shelf.clear("desk.feed")
    assert not await shelf.clear("desk.feed")
    assert await shelf.load("desk.feed") is None
    assert await shelf.load("desk.blotter") == large


async def test_more_than_the_limit_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    shelf = PerAppStore(service_in(tmp_path / "vault", FakeKeychain()), "appstate", LIMIT_BYTES)
    assert await shelf.save("desk.feed", b"small")
    with pytest.raises(DeskbusError) as refused:
        await shelf.save("desk.feed", bytes(LIMIT_BYTES + 1))
    assert refused.value.kind.name == "too_large"
    assert await shelf.load("desk.feed") == b"small"


async def test_without_a_keychain_it_is_told_that_nothing_is_on_disk(tmp_path: Path) -> None:
    service = service_in(tmp_path / "vault")
    assert not await PerAppStore(service, "appstate", LIMIT_BYTES).save("desk.feed", b"small")
    assert not await SecretSlot(service, "audit", "anchor").save(b"first")


async def test_while_the_keychain_is_locked_nothing_is_taken_for_absent(tmp_path: Path) -> None:
    keychain = FakeKeychain()
    keychain.why = "locked"
    shelf = PerAppStore(service_in(tmp_path / "vault", keychain), "appstate", LIMIT_BYTES)
    with pytest.raises(DeskbusError) as refused:
        await shelf.load("desk.feed")
    assert refused.value.kind.name == "unavailable"
