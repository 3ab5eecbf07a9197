"""The vault for the event loop: errors of the table, and a person who is not asked too often."""

import threading
from pathlib import Path

import anyio
import pytest

from deskbus.vault.cipher import SealError
from deskbus.vault.records.memory_records import MAX_APP_BYTES
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.service import DAMAGE_TOLD_EVERY_S, POLICY, SecretSlot, VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.secrets import MAX_SECRETS, VaultStatus
from tests.unit.vault.fakes import FakeKeychain, vault_in


@pytest.mark.requirement("3.3")
async def test_apps_can_not_make_a_locked_keychain_ask_again_and_again(tmp_path: Path) -> None:
    now_s = 1000.0
    keychain = FakeKeychain()
    keychain.why = "locked"
    told: list[VaultStatus] = []
    service = VaultService(
        vault_in(tmp_path / "vault", keychain), told.append, monotonic_s=lambda: now_s
    )
    for _ in range(10):
        with pytest.raises(DeskbusError, match="locked"):
            await service.get("desk.feed", "token")
    assert keychain.asked == 1
    for _ in range(10):
        now_s += POLICY.open_s
        with pytest.raises(DeskbusError, match="locked"):
            await service.set("desk.feed", "token", "value")
    assert keychain.asked == 1
    with pytest.raises(DeskbusError, match="locked"):
        await service.unlock(None)
    assert keychain.asked == 2
    keychain.why = None
    now_s += POLICY.open_s
    await service.set("desk.feed", "token", "value")
    assert await service.get("desk.feed", "token") == "value"
    assert [status.state for status in told] == ["locked", "unlocked"]


@pytest.mark.requirement("3.3")
async def test_a_hundred_calls_at_once_are_one_question_and_one_thread(tmp_path: Path) -> None:
    threads: set[int] = set()
    keychain = FakeKeychain()
    keychain.why = "locked"

    def find(_: str | None) -> FakeKeychain:
        threads.add(threading.active_count())
        return keychain

    service = VaultService(Vault(tmp_path / "vault", find=find), lambda _: None)
    refused = 0

    async def get() -> None:
        nonlocal refused
        with pytest.raises(DeskbusError, match="locked"):
            await service.get("desk.feed", "token")
        refused += 1

    before = threading.active_count()
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(get)
    assert (refused, keychain.asked) == (100, 1)
    assert max(threads) <= before + 1


async def test_what_no_longer_fits_into_the_memory_is_told_with_its_limit(tmp_path: Path) -> None:
    service = VaultService(vault_in(tmp_path / "vault"), lambda _: None)
    half = "x" * (MAX_APP_BYTES // 2)
    await service.set("desk.feed", "one", half)
    with pytest.raises(DeskbusError, match="an app may keep 8 MiB in memory"):
        await service.set("desk.feed", "two", half)
    await service.set("desk.blotter", "two", half)
    assert await service.names("desk.feed") == ["one"]


@pytest.mark.requirement("3.3")
async def test_what_is_in_memory_is_not_said_to_be_kept_where_a_keyset_is_there_already(
    tmp_path: Path,
) -> None:
    keychains: list[FakeKeychain] = []
    full = True

    def step(name: str) -> None:
        if full and name.endswith(".pack: written"):
            raise OSError(28, "No space left on device")

    vault = Vault(tmp_path / "vault", find=lambda _: keychains[0] if keychains else None, step=step)
    service = VaultService(vault, lambda _: None)
    anchor = SecretSlot(service, "audit", "anchor")
    assert not await anchor.save(b"one")
    keychains.append(FakeKeychain())
    with pytest.raises(DeskbusError, match="can't be read or written"):
        await service.unlock(None)
    assert anchor.exists
    assert not await anchor.save(b"two")
    full = False
    await service.unlock(None)
    assert await anchor.save(b"three")


@pytest.mark.requirement("3.3")
async def test_damage_is_told_to_the_audit_trail_and_does_not_flood_it(tmp_path: Path) -> None:
    now_s = 1000.0
    told: list[tuple[str | None, float]] = []

    async def tell(purpose: str | None) -> None:
        told.append((purpose, now_s))

    service = VaultService(
        vault_in(tmp_path / "vault", FakeKeychain()),
        lambda _: None,
        on_refused=tell,
        monotonic_s=lambda: now_s,
    )
    await service.set("desk.feed", "token", "value")
    (pack,) = (tmp_path / "vault").glob("*.pack")
    pack.write_bytes(pack.read_bytes()[:-1])
    for passed_s in (0.0, 1.0, DAMAGE_TOLD_EVERY_S):
        now_s += passed_s
        with pytest.raises(DeskbusError, match="changed from outside"):
            await service.get("desk.feed", "token")
    assert told == [("apps", 1000.0), ("apps", 1001.0 + DAMAGE_TOLD_EVERY_S)]


async def test_the_log_asks_a_locked_keychain_once(tmp_path: Path) -> None:
    keychain = FakeKeychain()
    keychain.why = "locked"
    vault = vault_in(tmp_path / "vault", keychain)
    for _ in range(5):
        with pytest.raises(Exception, match="locked"):
            vault.seal("messages", "0", b"body")
    assert keychain.asked == 1
    keychain.why = None
    vault.unlock()
    sealed = vault.seal("messages", "0", b"body")
    vault.rotate_keys()
    assert vault.unseal("messages", "0", sealed) == b"body"
    for purpose, name in (("messages", "1"), ("config", "0")):
        with pytest.raises(SealError):
            vault.unseal(purpose, name, sealed)  # type: ignore[arg-type]


async def test_an_app_keeps_a_thousand_secrets_and_no_more(tmp_path: Path) -> None:
    vault = vault_in(tmp_path / "vault", FakeKeychain())
    vault.put_all((Name("apps", "desk.feed", str(n)), b"x") for n in range(MAX_SECRETS))
    service = VaultService(vault, lambda _: None)
    with pytest.raises(DeskbusError, match="1000 secrets"):
        await service.set("desk.feed", "one more", "value")
    await service.set("desk.feed", "7", "changed")
    await service.set("desk.blotter", "one more", "value")
    assert len(await service.names("desk.feed")) == MAX_SECRETS


@pytest.mark.requirement("3.3")
async def test_a_reference_of_the_configuration_stands_for_its_secret(tmp_path: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(tmp_path / "vault", keychain)
    vault.put(Name("config", "", "broker"), b"a broker's key")
    vault.put(Name("apps", "", "token"), b"not of the configuration")
    service = VaultService(vault, lambda _: None)
    assert await service.resolve("secret:broker") == "a broker's key"
    assert await service.resolve("plain") == "plain"
    env = {"KEY": "secret:broker", "PATH": "/usr/bin"}
    assert await service.reveal(env) == {"KEY": "a broker's key", "PATH": "/usr/bin"}
    for missing in ("secret:", "secret:token", "secret:other"):
        with pytest.raises(DeskbusError, match="not in the vault"):
            await service.resolve(missing)
    service.close()
    keychain.why = "locked"
    with pytest.raises(DeskbusError, match="vault is locked"):
        await service.resolve("secret:broker")


async def test_nothing_is_imported_where_it_would_not_last(tmp_path: Path) -> None:
    source = VaultService(vault_in(tmp_path / "one", FakeKeychain()), lambda _: None)
    await source.set("desk.feed", "token", "value")
    await source.export(tmp_path / "export", "a long password for this")
    service = VaultService(Vault(tmp_path / "two", find=lambda _: None), lambda _: None)
    file, password = tmp_path / "export", "a long password for this"
    for take in (
        service.count_in(file, password),
        service.import_records(file, password, lambda *_: None),
    ):
        with pytest.raises(DeskbusError, match="gone when the backend ends") as refused:
            await take
        assert refused.value.kind is UNAVAILABLE
        assert "change-password" in refused.value.action
    assert await service.names("desk.feed") == []


async def test_an_export_is_counted_without_being_taken_in(tmp_path: Path) -> None:
    service = VaultService(vault_in(tmp_path / "one", FakeKeychain()), lambda _: None)
    await service.set("desk.feed", "token", "value")
    await service.export(tmp_path / "export", "a long password for this")
    await service.delete("desk.feed", "token")
    counted = await service.count_in(tmp_path / "export", "a long password for this")
    assert await service.names("desk.feed") == []
    taken = await service.import_records(
        tmp_path / "export", "a long password for this", lambda *_: None
    )
    assert counted == taken
    with pytest.raises(DeskbusError, match="password of the export is wrong"):
        await service.count_in(tmp_path / "export", "another password altogether")
