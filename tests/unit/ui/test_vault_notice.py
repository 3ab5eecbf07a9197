"""A person is told when secrets are not kept, or can't be had."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from deskbus.languages.language import language_for
from deskbus.ui.shell import Shell
from deskbus.ui.vault_notice import VaultNotice
from deskbus_protocol.secrets import VaultStatus

DATA = Path("/home/person/the desk")
MEMORY = VaultStatus(state="memory", detail="no keychain")
LOCKED = VaultStatus(state="locked", detail="the keychain is locked")
UNLOCKED = VaultStatus(state="unlocked", kek_provider="secret-service")


class Peer:
    """Keeps what a shell is told: methods, and the notices among them."""

    slow = False

    def __init__(self) -> None:
        self.told: list[str] = []
        self.notices: list[dict[str, Any]] = []

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any:
        raise AssertionError(method)

    def notify(self, method: str, params: object) -> None:
        self.told.append(method)
        if method == "ui.showNotice":
            self.notices.append(msgspec.to_builtins(params)["descriptor"])


@pytest.mark.requirement("3.3")
def test_a_shell_that_is_there_is_told_at_once_and_when_it_is_over() -> None:
    shell, peer = Shell(), Peer()
    notice = VaultNotice(shell, DATA)
    shell.connect(peer)
    assert peer.told == []
    notice.changed(LOCKED)
    assert peer.told == ["vault.changed", "ui.showNotice"]
    peer.told.clear()
    notice.changed(UNLOCKED)
    assert peer.told == ["vault.changed", "ui.closeNotice"]
    peer.told.clear()
    notice.changed(UNLOCKED)
    assert peer.told == ["vault.changed"]


@pytest.mark.requirement("3.3")
def test_a_shell_that_connects_later_is_told_what_was_found_before() -> None:
    shell = Shell()
    VaultNotice(shell, DATA).changed(MEMORY)
    peer = Peer()
    shell.connect(peer)
    assert peer.told == ["vault.changed", "ui.showNotice"]
    assert peer.notices[0]["title"] == "Secrets are not kept"
    command = "deskbus vault change-password --data-dir '/home/person/the desk'"
    assert peer.notices[0]["command"] == command
    assert "offer" not in peer.notices[0]


def test_one_notice_gives_way_to_the_other() -> None:
    shell, peer = Shell(), Peer()
    shell.connect(peer)
    notice = VaultNotice(shell, DATA)
    notice.changed(MEMORY)
    notice.changed(LOCKED)
    assert peer.told[2:] == ["vault.changed", "ui.closeNotice", "ui.showNotice"]


@pytest.mark.requirement("3.3")
def test_a_locked_vault_says_why_and_offers_to_try_again_or_asks_for_its_password() -> None:
    shell, peer = Shell(), Peer()
    shell.connect(peer)
    notice = VaultNotice(shell, DATA)
    notice.changed(LOCKED)
    needed = msgspec.structs.replace(
        LOCKED, detail="the master password is needed", needs_password=True
    )
    notice.changed(needed)
    by_keychain, by_password = peer.notices
    assert "the keychain is locked" in by_keychain["words"]
    assert (by_keychain["offer"], by_keychain["asksPassword"]) == ("vault.unlock", False)
    assert "master password is needed" in by_password["words"]
    assert (by_password["offer"], by_password["asksPassword"]) == ("vault.unlock", True)


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("status", [MEMORY, LOCKED])
def test_a_notice_is_in_the_language_of_the_shell(status: VaultStatus) -> None:
    shell, peer = Shell(), Peer()
    VaultNotice(shell, DATA).changed(status)
    shell.speak("de")
    shell.connect(peer)
    [notice] = peer.notices
    text = language_for("de").text
    assert notice["title"] == text(f"vault.{status.state}.title")
    assert notice["dismissLabel"] == text("page.notice.dismiss")
    assert status.detail not in notice["words"]
