"""The growing end of a log: how it is cut into batches and files, and what is left of its keys."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deskbus.audit.format import key_ratchet
from deskbus.audit.format.lines import CHECKPOINT
from deskbus.audit.store.audit_folder import KEYS, AuditFolder
from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.audit.write import chain_writer as module
from deskbus.audit.write.chain_writer import DAY_MS, KEYS_EVERY_S, ChainWriter
from tests.unit.audit.forger import lines_of, paths
from tests.unit.audit.rig import Rig, event

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "audit")


def checkpoints(path: Path) -> int:
    return sum(line.startswith(CHECKPOINT) for line in lines_of(path))


def open_files(rig: Rig) -> list[str]:
    """Names of the log's files that this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = descriptor.readlink()
        except OSError:
            continue
        if target.parent == rig.path and target.name.startswith("audit-"):
            found.append(target.name)
    return found


@pytest.mark.parametrize(("records", "batches"), [(1, 1), (256, 1), (257, 2), (512, 2)])
def test_so_many_records_at_once_have_a_checkpoint_each_256(
    rig: Rig, records: int, batches: int
) -> None:
    rig.run(records)
    assert checkpoints(paths(rig.path)[0]) == batches


def test_a_file_ends_after_so_many_checkpoints(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BATCHES", 3)
    rig.run(1)
    rig.run(*[1] * 7)
    assert [checkpoints(path) for path in paths(rig.path)] == [1, 3, 3, 1]


def test_a_file_ends_where_it_is_larger_than_it_may_be(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    rig.write(chain_writer, [event(0, 0)])
    chain_writer._max_bytes = paths(rig.path)[0].stat().st_size
    rig.write(chain_writer, [event(0, 1)])
    assert chain_writer.file == 1, "it was just as large as it may be"
    rig.write(chain_writer, [event(0, 2)])
    assert chain_writer.file == 2
    rig.end(chain_writer)


def test_a_file_ends_with_the_day(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    rig.clock.pass_ms(DAY_MS - 1 - 10)
    rig.write(chain_writer, [event(0, 0)])
    assert chain_writer.file == 1
    rig.clock.pass_ms(1 - 10)
    rig.write(chain_writer, [event(0, 1)])
    assert chain_writer.file == 2
    rig.end(chain_writer)


@linux
def test_a_file_that_has_ended_is_closed_and_for_reading_only(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    rig.write(chain_writer, [event(0, 0)])
    chain_writer.begin_file()
    first, second = paths(rig.path)
    assert open_files(rig) == [second.name]
    assert [path.stat().st_mode & 0o777 for path in (first, second)] == [0o400, 0o600]
    rig.end(chain_writer)
    assert open_files(rig) == []
    assert second.stat().st_mode & 0o777 == 0o400


def test_the_name_of_a_new_file_is_on_the_disk_before_anything_is_in_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("sync_names", "write"):
        real = getattr(AuditFolder, name)

        def noted(*args: object, name: str = name, real: Callable[..., object] = real) -> object:
            done.append(name)
            return real(*args)

        monkeypatch.setattr(AuditFolder, name, noted)
    chain_writer = rig.open().chain_writer
    done.clear()
    chain_writer.begin_file()
    rig.write(chain_writer, [event(0, 0)])
    rig.end(chain_writer)
    assert done == ["write", "sync_names", "write"]


def test_the_keys_on_disk_are_replaced_a_second_after_they_were_saved(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    saved = (rig.path / KEYS).read_bytes()
    rig.write(chain_writer, [event(0, 0)])
    rig.clock.us += int(KEYS_EVERY_S * 1_000_000) - 10_001
    assert chain_writer.keep_keys() is False
    assert (rig.path / KEYS).read_bytes() == saved
    rig.clock.us += 1
    assert chain_writer.keep_keys() is True
    assert (rig.path / KEYS).read_bytes() != saved
    assert chain_writer.keep_keys() is False
    rig.end(chain_writer)


@pytest.mark.requirement("8.4")
@pytest.mark.parametrize("ends", [ChainWriter.close, ChainWriter.abandon])
def test_no_seed_outlives_what_was_signed_with_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, ends: Callable[[ChainWriter], None]
) -> None:
    """The memory of a later moment has no key of a record that was written before."""
    seeds: list[bytearray] = []
    real = key_ratchet.next_seed

    def kept(seed: bytearray, steps: int = 1) -> bytearray:
        following = real(seed, steps)
        seeds.extend((seed, following))
        return following

    chain_writer = rig.open().chain_writer
    monkeypatch.setattr(key_ratchet, "next_seed", kept)
    first = chain_writer._seed
    rig.write(chain_writer, [event(0, at) for at in range(300)])
    second = chain_writer._seed
    assert not any(first)
    assert [any(seed) for seed in seeds] == [False, False, False, True]
    chain_writer.begin_file()
    third = chain_writer._seed
    assert (any(second), any(third)) == (False, True)
    ends(chain_writer)
    rig.folder.release()
    assert not any(third)


class _FullDisk:
    """Writes half of what it is given, then fails as a full disk does, until there is room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        real = AuditFolder.write

        def write(folder: AuditFolder, descriptor: int, content: bytes) -> None:
            if self.is_full:
                os.write(descriptor, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(folder, descriptor, content)

        monkeypatch.setattr(AuditFolder, "write", write)


@linux
@pytest.mark.parametrize("records", [0, 5])
def test_of_a_write_that_failed_nothing_stays(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    disk = _FullDisk(monkeypatch)
    chain_writer = rig.open().chain_writer
    if records:
        rig.write(chain_writer, [event(0, at) for at in range(records)])
    before = paths(rig.path)[0].read_bytes()
    disk.is_full = True
    with pytest.raises(OSError, match="No space left"):
        rig.write(chain_writer, [event(1, 0)])
    assert paths(rig.path)[0].read_bytes() != before
    chain_writer.abandon()
    assert paths(rig.path)[0].read_bytes() == before
    assert open_files(rig) == []
    rig.folder.release()
    disk.is_full = False
    rig.run(1)
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "OK"


@linux
def test_of_a_head_that_could_not_be_written_nothing_stays_and_it_is_written_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _FullDisk(monkeypatch)
    chain_writer = rig.open().chain_writer
    disk.is_full = True
    with pytest.raises(OSError, match="No space left"):
        chain_writer.begin_file()
    chain_writer.abandon()
    assert paths(rig.path)[1].stat().st_size == 0
    rig.folder.release()
    disk.is_full = False
    rig.run(1)
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "OK"
