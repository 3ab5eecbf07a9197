"""Dialogs one after another: none takes over the click that was meant for the one before."""

import time
from typing import Any

import anyio
import pytest

from deskbus.languages.language import english
from deskbus.ui import consent_dialogs
from deskbus.ui.consent_dialogs import Asked, ConsentDialogs
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.ui import AppIdentity

pytestmark = pytest.mark.requirement("3.1")

REST_S = 0.2


class FakeShell:
    """Shows every dialog at once, and never answers."""

    def __init__(self) -> None:
        self.language = english()
        self.shown_at: list[float] = []
        self.closed_at: list[float] = []

    async def call(self, method: str, params: object, result: object, *, timeout_s: float) -> Any:
        self.shown_at.append(time.monotonic())
        await anyio.sleep_forever()

    def notify(self, method: str, params: object) -> None:
        assert method == "ui.closeDialog"
        self.closed_at.append(time.monotonic())


def asked(app: str) -> Asked:
    entry = Catalogue()["messaging.read"]
    who = AppIdentity(app=app, name=app, publisher="p", origin="o", verified=False)
    return Asked(identity=who, entry=entry, scope="a", reason=None, may_remember=True)


async def test_after_a_dialog_that_was_taken_away_nothing_is_shown_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consent_dialogs, "REST_S", REST_S)
    shell = FakeShell()
    dialogs = ConsentDialogs(shell, timeout_s=60, monotonic_s=time.monotonic)  # type: ignore[arg-type]
    for app in ("desk.one", "desk.two", "desk.one"):
        with anyio.fail_after(10):
            async with anyio.create_task_group() as asking:
                asking.start_soon(dialogs.ask, asked(app))
                before = len(shell.shown_at)
                while len(shell.shown_at) == before:
                    await anyio.sleep(0.001)
                asking.cancel_scope.cancel()
    gaps = [
        shown - closed for closed, shown in zip(shell.closed_at, shell.shown_at[1:], strict=False)
    ]
    assert len(gaps) == 2
    assert min(gaps) >= REST_S
