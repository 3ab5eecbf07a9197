"""Remembered decisions: with the keeper where it keeps, in a file where it does not."""

from pathlib import Path

import pytest

from deskbus.security.decisions import FILE_NAME, Decision, DecisionStore
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.permissions import Grant

READ = Grant("messaging.read", "prices.#")
WRITE = Grant("messaging.write", "orders.#")


class FakeKeeper:
    def __init__(self, *, keeps: bool = True) -> None:
        self.keeps = keeps
        self.locked = False
        self.content: bytes | None = None

    @property
    def exists(self) -> bool:
        return self.content is not None

    async def load(self) -> bytes | None:
        if self.locked:
            raise DeskbusError(UNAVAILABLE, "The vault is locked.")
        return self.content

    async def save(self, content: bytes) -> bool:
        if self.locked:
            raise DeskbusError(UNAVAILABLE, "The vault is locked.")
        if self.keeps:
            self.content = content
        return self.keeps


def allow(grant: Grant) -> Decision:
    return Decision(app="desk.ticker", grant=grant, allowed=True)


async def opened(folder: Path, keeper: FakeKeeper) -> DecisionStore:
    store = DecisionStore(folder, keeper)
    store.load_file()
    await store.open()
    return store


@pytest.mark.requirement("3.3")
async def test_the_keeper_has_them_and_no_file_does(tmp_path: Path) -> None:
    keeper = FakeKeeper()
    store = await opened(tmp_path, keeper)
    store.add(allow(READ))
    await store.save()
    assert list(tmp_path.iterdir()) == []
    assert (await opened(tmp_path, keeper)).granted("desk.ticker") == [READ]


async def test_without_a_keeper_that_keeps_they_are_in_the_file(tmp_path: Path) -> None:
    keeper = FakeKeeper(keeps=False)
    store = await opened(tmp_path, keeper)
    store.add(allow(READ))
    await store.save()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert (await opened(tmp_path, keeper)).granted("desk.ticker") == [READ]


@pytest.mark.requirement("3.3")
async def test_a_file_of_before_is_taken_over_and_removed(tmp_path: Path) -> None:
    store = await opened(tmp_path, FakeKeeper(keeps=False))
    store.add(allow(READ))
    await store.save()
    keeper = FakeKeeper()
    store = await opened(tmp_path, keeper)
    assert store.granted("desk.ticker") == [READ]
    store.add(allow(WRITE))
    await store.save()
    assert not (tmp_path / FILE_NAME).exists()
    assert (await opened(tmp_path, keeper)).granted("desk.ticker") == [READ, WRITE]


@pytest.mark.requirement("3.3")
async def test_a_file_put_there_later_does_not_count(tmp_path: Path) -> None:
    keeper = FakeKeeper()
    store = await opened(tmp_path, keeper)
    store.add(allow(READ))
    await store.save()
    plain = await opened(tmp_path, FakeKeeper(keeps=False))
    plain.add(allow(WRITE))
    await plain.save()
    assert (tmp_path / FILE_NAME).exists()
    assert (await opened(tmp_path, keeper)).granted("desk.ticker") == [READ]


@pytest.mark.requirement("3.3")
async def test_while_it_is_locked_nothing_is_overwritten(tmp_path: Path) -> None:
    keeper = FakeKeeper()
    store = await opened(tmp_path, keeper)
    store.add(allow(READ))
    await store.save()
    keeper.locked = True
    store = await opened(tmp_path, keeper)
    assert "locked" in (store.problem or "")
    assert store.granted("desk.ticker") == []
    store.add(allow(WRITE))
    with pytest.raises(DeskbusError):
        await store.save()
    keeper.locked = False
    await store.open()
    assert store.problem is None
    assert store.granted("desk.ticker") == [READ, WRITE]
    await store.save()
    assert (await opened(tmp_path, keeper)).granted("desk.ticker") == [READ, WRITE]
