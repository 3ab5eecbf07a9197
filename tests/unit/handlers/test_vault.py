"""A change of the vault is made only once it is in the audit log."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import UNSET

from deskbus.handlers.vault import VaultHandlers
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, UNAVAILABLE, DeskbusError
from deskbus_protocol.secrets import (
    NewPasswordParams,
    RotateParams,
    SetSecretParams,
    TransferParams,
    UseKeychainParams,
)

CALL: Any = SimpleNamespace(identity=Sender("shell", "main"), progress=lambda _: None)
CHANGES = {
    "vault.rotate": RotateParams(),
    "vault.changePassword": NewPasswordParams(new_password="a long new password"),
    "vault.useKeychain": UseKeychainParams(),
    "vault.setSecret": SetSecretParams(name="n", value="v"),
    "vault.export": TransferParams(file="/tmp/export", password="a long new password"),
}


class Recorder:
    """A vault and a trail: notes what is done in which order."""

    def __init__(self, fails: str = "") -> None:
        self.done: list[str] = []
        self.fails = fails

    def status(self) -> Any:
        return SimpleNamespace(records=UNSET)

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
            self.done.append("changed")
            return 0

        return change


async def run(method: str, recorder: Recorder) -> None:
    table = VaultHandlers(recorder, recorder).table()  # type: ignore[arg-type]
    try:
        await table[method](CALL, CHANGES[method])
    except TypeError:
        # The status is none that an answer can carry; the change is over.
        assert "changed" in recorder.done


@pytest.mark.requirement("8.1")
@pytest.mark.parametrize("method", CHANGES)
async def test_a_change_is_recorded_before_it_is_made(method: str) -> None:
    recorder = Recorder()
    await run(method, recorder)
    assert recorder.done == ["recorded", "changed"]


@pytest.mark.requirement("8.1")
@pytest.mark.parametrize("method", CHANGES)
async def test_a_change_that_can_not_be_recorded_is_not_made(method: str) -> None:
    recorder = Recorder("commit")
    with pytest.raises(DeskbusError) as refused:
        await run(method, recorder)
    assert refused.value.kind is AUDIT_UNAVAILABLE
    assert recorder.done == []


@pytest.mark.parametrize("method", CHANGES)
async def test_a_recorded_change_that_fails_is_told_as_failed(method: str) -> None:
    recorder = Recorder("change")
    with pytest.raises(DeskbusError):
        await run(method, recorder)
    assert recorder.done == ["recorded", "failed: The vault is locked."]
