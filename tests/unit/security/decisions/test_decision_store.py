"""Remembered decisions: in the vault or in memory, and never believed when in doubt."""

from pathlib import Path

import pytest

from deskbus.security.decisions.decision_store import OLD_FILE
from deskbus_protocol.errors import DeskbusError
from tests.unit.security.desk import READ, TICKER, WRITE, Desk, FakeKeeper, says

pytestmark = pytest.mark.requirement("3.3")


async def remembering(desk: Desk) -> Desk:
    """Has READ allowed for good."""
    desk.person = says("allow", "always")
    async with desk.running():
        assert await desk.security.permissions.request(TICKER, READ)
    return desk


async def test_what_was_remembered_counts_in_the_next_run() -> None:
    desk = await remembering(Desk())
    async with desk.again().running() as next_run:
        assert await next_run.security.permissions.state(TICKER, READ) == "granted"
        assert next_run.store.problem is None


async def test_without_a_vault_they_are_in_memory_only_and_that_is_said(tmp_path: Path) -> None:
    desk = await remembering(Desk(keeper=FakeKeeper(keeps=False), folder=tmp_path))
    assert "in memory only" in (desk.store.problem or "")
    assert list(tmp_path.iterdir()) == []
    async with desk.again().running() as next_run:
        assert await next_run.security.permissions.state(TICKER, READ) == "prompt"


async def test_a_file_of_an_earlier_version_is_set_aside_and_not_believed(tmp_path: Path) -> None:
    (tmp_path / OLD_FILE).write_text('{"version":1,"decisions":[]}')
    desk = Desk(folder=tmp_path)
    desk.store.set_old_file_aside()
    async with desk.running():
        assert await desk.security.permissions.state(TICKER, READ) == "prompt"
    assert [path.name for path in tmp_path.iterdir()] == ["decisions.unreadable-1"]
    assert "set aside" in (desk.store.problem or "")


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version":1,"decisions":[]}', b'{"version":2,"more":1}', b"[]"]
)
async def test_a_store_that_is_not_of_this_version_is_copied_aside_and_asks_again(
    content: bytes,
) -> None:
    keeper = FakeKeeper()
    keeper.content = content
    async with Desk(keeper=keeper).running() as desk:
        assert await desk.security.permissions.state(TICKER, READ) == "prompt"
        assert desk.copies == 1
        assert "damaged" in (desk.store.problem or "")


async def test_a_changed_record_is_copied_aside_and_decisions_are_remembered_anew() -> None:
    desk = await remembering(Desk())
    desk.keeper.damaged = True
    changed = desk.again()
    changed.person = says("allow", "always")
    async with changed.running():
        assert await changed.security.permissions.state(TICKER, READ) == "prompt"
        assert changed.copies == 1
        assert await changed.security.permissions.request(TICKER, WRITE)
    async with changed.again().running() as next_run:
        assert await next_run.security.permissions.state(TICKER, WRITE) == "granted"
        assert await next_run.security.permissions.state(TICKER, READ) == "prompt"


async def test_while_it_is_locked_nothing_is_overwritten() -> None:
    desk = await remembering(Desk())
    desk.keeper.locked = True
    locked = desk.again()
    locked.person = says("allow", "always")
    async with locked.running():
        assert "not known" in (locked.store.problem or "")
        assert await locked.security.permissions.state(TICKER, READ) == "prompt"
        assert await locked.security.permissions.request(TICKER, WRITE)
        with pytest.raises(DeskbusError):
            await locked.store.save()
        locked.keeper.locked = False
        assert await locked.store.open()
        locked.security.decisions_known()
        assert locked.store.problem is None
        assert await locked.security.permissions.state(TICKER, READ) == "granted"
        await locked.store.save()
    async with locked.again().running() as next_run:
        assert await next_run.security.permissions.state(TICKER, READ) == "granted"
        assert await next_run.security.permissions.state(TICKER, WRITE) == "granted"


async def test_what_was_taken_back_while_it_was_locked_stays_so_when_it_opens() -> None:
    desk = await remembering(Desk())
    desk.keeper.locked = True
    async with desk.again().running() as locked:
        with pytest.raises(DeskbusError, match="could not be saved"):
            await locked.settings.revoke(TICKER.app, None, None)
        assert locked.store.is_behind
        locked.keeper.locked = False
        assert await locked.store.open()
        locked.security.decisions_known()
        assert await locked.security.permissions.state(TICKER, READ) == "prompt"
        assert await locked.store.save_in_time()
    async with locked.again().running() as next_run:
        assert await next_run.security.permissions.state(TICKER, READ) == "prompt"
