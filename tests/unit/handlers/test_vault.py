"""A change of the vault is made only once it is in the audit log."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import UNSET

from deskbus.handlers.vault import VaultHandlers
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, UNAVAILABLE, DeskbusError
from deskbus_protocol.method import NoParams
from deskbus_protocol.secrets import (
    NewPasswordParams,
    RotateParams,
    SecretParams,
    SetSecretParams,
    TransferParams,
    UnlockParams,
    UseKeychainParams,
)

CALL: Any = SimpleNamespace(identity=ClientId("shell", "main"), progress=lambda _: None)
CHANGES = {
    "vault.unlock": UnlockParams(),
    "vault.lock": NoParams(),
    "vault.rotate": RotateParams(),
    "vault.changePassword": NewPasswordParams(new_password="a long new password"),
    "vault.useKeychain": UseKeychainParams(),
    "vault.useSafeStorage": NoParams(),
    "vault.setSecret": SetSecretParams(name="n", value="v"),
    "vault.deleteSecret": SecretParams(name="n"),
    "vault.import": TransferParams(file="/tmp/export", password="a long new password"),
    "vault.export": TransferParams(file="/tmp/export", password="a long new password"),
}


class Recorder:
    """A vault and a trail: notes what is done in which order."""

    def __init__(self, fails: str = "") -> None:
        self.done: list[str] = []
        self.fails = fails
        self.needs_shell = False

    def status(self) -> Any:
        return SimpleNamespace(records=UNSET, state="locked", needs_password=False)

    async def has_config(self, _: str) -> bool:
        return True

    async def count_in(self, *_: Any) -> int:
        return 3

    async def commit(self, event: Any) -> None:
        if self.fails == "commit":
            raise DeskbusError(AUDIT_UNAVAILABLE)
        self.done.append("recorded")

    def note(self, event: Any) -> None:
        self.done.append(event.reason)

    def __getattr__(self, name: str) -> Any:
        async def change(*_: Any, **__: Any) -> int:
            if self.fails == "change":
                raise DeskbusError(UNAVAILABLE, "The vault is locked.")
            self.done.append(name)
            return 0

        return change


def table_of(recorder: Recorder, *, log_is_open: bool = True) -> Any:
    return VaultHandlers(
        recorder,  # type: ignore[arg-type]
        recorder,
        lambda: log_is_open,
        nullcontext,
    ).table()


def test_every_method_that_changes_the_vault_is_looked_at() -> None:
    assert table_of(Recorder()).keys() - CHANGES.keys() == {"vault.status"}


async def run(method: str, recorder: Recorder) -> None:
    await table_of(recorder)[method](CALL, CHANGES[method])


@pytest.mark.requirement("8.1")
@pytest.mark.parametrize("method", CHANGES)
async def test_a_change_is_recorded_before_it_is_made(method: str) -> None:
    recorder = Recorder()
    await run(method, recorder)
    assert len(recorder.done) == 2
    assert recorder.done[0] == "recorded"


@pytest.mark.requirement("8.1")
@pytest.mark.parametrize("method", CHANGES)
async def test_a_change_that_can_not_be_recorded_is_not_made(method: str) -> None:
    recorder = Recorder("commit")
    with pytest.raises(DeskbusError) as refused:
        await run(method, recorder)
    assert refused.value.kind is AUDIT_UNAVAILABLE
    # The record of the attempt waits until something can be written again.
    assert recorder.done == [f"failed: {AUDIT_UNAVAILABLE.message}"]


@pytest.mark.parametrize("method", CHANGES)
async def test_a_recorded_change_that_fails_is_told_as_failed(method: str) -> None:
    recorder = Recorder("change")
    with pytest.raises(DeskbusError):
        await run(method, recorder)
    assert recorder.done == ["recorded", "failed: The vault is locked."]


@pytest.mark.requirement("8.1")
async def test_a_vault_with_the_log_s_own_keys_is_locked_again_where_that_stays_closed() -> None:
    recorder = Recorder("commit")
    with pytest.raises(DeskbusError) as refused:
        await table_of(recorder, log_is_open=False)["vault.unlock"](CALL, UnlockParams())
    assert refused.value.kind is AUDIT_UNAVAILABLE
    assert recorder.done == ["unlock", "lock"]


async def test_an_unlocking_that_is_not_recorded_says_so_also_where_nothing_can_be_locked() -> None:
    class InMemory(Recorder):
        async def lock(self) -> None:
            raise DeskbusError(UNAVAILABLE, "Secrets are in memory only.")

    with pytest.raises(DeskbusError) as refused:
        await table_of(InMemory("commit"), log_is_open=False)["vault.unlock"](CALL, UnlockParams())
    assert refused.value.kind is AUDIT_UNAVAILABLE


async def test_what_has_no_effect_is_not_recorded() -> None:
    class Without(Recorder):
        async def has_config(self, _: str) -> bool:
            return False

    recorder = Without()
    await run("vault.deleteSecret", recorder)
    assert recorder.done == []
