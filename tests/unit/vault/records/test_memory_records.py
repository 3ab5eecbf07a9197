"""Records in memory: all of a change or none, and no more than fits."""

import pytest

from deskbus.vault.records.memory_records import (
    MAX_APP_BYTES,
    MAX_BYTES,
    MemoryFullError,
    MemoryRecords,
)
from deskbus.vault.records.sealed_records import Name
from tests.unit.vault.fakes import OTHER, TOKEN

VALUE = bytes(MAX_APP_BYTES - 1024)


def test_an_app_has_a_limit_of_its_own() -> None:
    memory = MemoryRecords()
    memory.put([(TOKEN, VALUE)])
    with pytest.raises(MemoryFullError, match="an app"):
        memory.put([(OTHER, b"1"), (TOKEN._replace(name="more"), b"x" * 1024)])
    assert memory.names() == [TOKEN]
    memory.put([(OTHER, VALUE)])
    memory.put([(TOKEN, b"small"), (TOKEN._replace(name="more"), b"x" * 1024)])
    assert memory.get(TOKEN) == b"small"


def test_many_small_values_are_counted_with_what_each_costs() -> None:
    memory = MemoryRecords()
    with pytest.raises(MemoryFullError):
        memory.put((Name("apps", "desk.feed", str(n)), b"") for n in range(20_000))


def test_all_apps_together_have_a_limit_and_the_backend_itself_has_none() -> None:
    memory = MemoryRecords()
    fits = MAX_BYTES // len(VALUE)
    memory.put((TOKEN._replace(app=f"app.{n}"), VALUE) for n in range(fits))
    with pytest.raises(MemoryFullError, match="all apps together"):
        memory.put([(TOKEN, VALUE)])
    memory.put([(Name("audit", "", "anchor"), VALUE)])


def test_what_was_deleted_makes_room() -> None:
    memory = MemoryRecords()
    for _ in range(3):
        memory.put([(TOKEN, VALUE)])
        assert memory.delete(TOKEN)
    assert not memory.delete(TOKEN)
    assert len(memory) == 0
