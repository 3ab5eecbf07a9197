"""Somebody who can write the log's folder, and tries for more than a changed record."""

import errno
import math
import os
import zlib
from pathlib import Path

import pytest

from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.store import audit_folder as files_module
from deskbus.audit.store.audit_folder import INDEX, KEYS, AuditFolder, list_files
from deskbus.audit.store.maintenance import Now, check_prune, plan_prune
from deskbus.audit.store.retention import AuditRetention
from deskbus.audit.verify.verifier import KnownHead, Verifier, own_key
from deskbus.audit.write.recovery import SetAsideError
from deskbus_protocol.audit import AuditFilter
from tests.unit.audit.forger import change, paths, put_lines, record_at
from tests.unit.audit.rig import Rig, event

YEAR_MS = 365 * 86_400_000


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path / "audit")
    for _ in range(3):
        rig.run(5, 3)
    return rig


def spoil(path: Path, mark: bytes) -> None:
    """A byte that is no UTF-8 behind the last `mark` of the file."""
    content = bytearray(path.read_bytes())
    content[content.rindex(mark) + len(mark)] = 0xFF
    path.chmod(0o600)
    path.write_bytes(content)


MARKS = [b'{"seq":23,"prev":"', b'"boot":"', b'{"checkpoint":"', b'{"head":"', b'"target":"']


@pytest.mark.requirement("8.4")
@pytest.mark.parametrize("mark", MARKS)
def test_a_byte_that_is_no_text_is_tampering_and_not_a_fault(rig: Rig, mark: bytes) -> None:
    key = own_key(rig.path)
    spoil(paths(rig.path)[-1], mark)
    assert Verifier(rig.path, key).run().verdict == "TAMPERED"


@pytest.mark.parametrize("mark", [b'{"checkpoint":"', b'{"head":"'])
def test_a_log_with_a_byte_that_is_no_text_is_set_aside_and_a_new_one_begun(
    rig: Rig, mark: bytes
) -> None:
    spoil(paths(rig.path)[-1], mark)
    opening = rig.open()
    assert opening.fresh
    assert opening.set_aside
    rig.crash()


def test_an_old_time_of_a_file_does_not_make_retention_remove_it(rig: Rig) -> None:
    os.utime(paths(rig.path)[0], (0, 0))
    keep = AuditRetention(max_age_ms=YEAR_MS, max_bytes=10**12)
    assert plan_prune(rig.folder, keep, 4, Now(rig.clock.now_ms(), 0, 0)) is None
    later = rig.clock.now_ms() + YEAR_MS + 1000
    rig.run(1)
    plan = plan_prune(rig.folder, keep, 4, Now(later, 0, 0))
    assert plan is not None
    assert [file.number for file in plan.files] == [1, 2, 3]


def test_a_file_that_was_blown_up_makes_retention_remove_nothing(rig: Rig) -> None:
    rig.run(1)
    path = paths(rig.path)[2]
    path.chmod(0o600)
    os.truncate(path, 5 * 10**9)
    keep = AuditRetention(max_age_ms=10**15, max_bytes=4 * 10**9)
    plan = plan_prune(rig.folder, keep, 4, Now(rig.clock.now_ms(), 0, 0))
    assert plan is not None
    assert "audit-00000003.jsonl" in check_prune(rig.folder, own_key(rig.path), plan)


def test_retention_removes_no_file_that_was_changed(rig: Rig) -> None:
    key = own_key(rig.path)
    keep = AuditRetention(max_age_ms=10**15, max_bytes=1)
    plan = plan_prune(rig.folder, keep, 3, Now(rig.clock.now_ms(), 0, 0))
    assert plan is not None
    assert check_prune(rig.folder, key, plan) == ""

    def edit(lines: list[bytes]) -> None:
        at = record_at(lines, 1)
        lines[at] = lines[at].replace(b"com.example", b"com.exemple")

    change(paths(rig.path)[1], edit)
    assert "audit-00000002.jsonl" in check_prune(rig.folder, key, plan)


def test_a_link_in_a_files_place_is_not_followed(rig: Rig, tmp_path: Path) -> None:
    key = own_key(rig.path)
    elsewhere = tmp_path / "elsewhere"
    path = paths(rig.path)[1]
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    verdict = Verifier(rig.path, key).run()
    assert (verdict.verdict, verdict.reason) == ("TAMPERED", "file 2 is missing")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    rig.folder.path_of(4).symlink_to(victim)
    with pytest.raises(OSError):
        rig.open()
    rig.crash()
    assert victim.read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_in_a_files_place_keeps_nobody_waiting(rig: Rig) -> None:
    os.mkfifo(rig.folder.path_of(4))
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "OK"
    with pytest.raises(OSError):
        rig.open()
    rig.crash()


def test_a_file_that_lies_in_the_next_ones_place_is_not_written_to(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    planted = rig.folder.path_of(chain_writer.file + 1)
    planted.write_bytes(b'{"seq":24}\n')
    with pytest.raises(FileExistsError):
        chain_writer.begin_file()
    assert planted.read_bytes() == b'{"seq":24}\n'
    rig.crash()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_without_end_does_not_fill_the_memory(
    rig: Rig, compressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = own_key(rig.path)
    monkeypatch.setattr(files_module, "MAX_MEMBER_BYTES", 1 << 22)
    path = paths(rig.path)[0]
    if compressed:
        packer = zlib.compressobj(wbits=31)
        content = path.read_bytes() + bytes(1 << 24)
        path.unlink()
        path.with_name(f"{path.name}.gz").write_bytes(packer.compress(content) + packer.flush())
    else:
        path.chmod(0o600)
        os.truncate(path, 1 << 33)
    assert Verifier(rig.path, key).run().verdict == "TAMPERED"


def test_an_anchor_of_another_key_is_not_this_logs(rig: Rig) -> None:
    key = own_key(rig.path)
    empty = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    mark = KnownHead("the keychain", 0, empty, "another+key")
    assert Verifier(rig.path, key, marks=[mark]).run().verdict == "TAMPERED"
    assert Verifier(rig.path, key, marks=[mark._replace(key=key)]).run().verdict == "OK"


def test_a_full_disk_leaves_no_half_key_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path / "audit")
    write = os.write

    def half(descriptor: int, content: bytes) -> int:
        return write(descriptor, content[:100] if len(content) == 16_384 else content)

    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(OSError) as error:
            rig.open()
        assert error.value.errno == errno.ENOSPC
        rig.crash()
    assert not (rig.path / KEYS).exists()
    opening = rig.open()
    assert (opening.fresh, opening.set_aside) == (True, "")
    rig.crash()


def test_a_log_that_is_set_aside_on_a_full_disk_is_told_of(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rig.path / KEYS).unlink()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(AuditFolder, "replace", full)
    with pytest.raises(SetAsideError) as told:
        rig.open()
    rig.crash()
    assert told.value.folder.startswith("set-aside-")
    assert told.value.reason == "its keys are gone"


def found(rig: Rig, wanted: AuditFilter) -> list[int]:
    index = AuditIndex(rig.path)
    index.catch_up()
    search = AuditSearch(rig.path, index)
    page = search.find(wanted, order="oldest", limit=1000, cursor=None, within_s=math.inf)
    index.close()
    return [record.seq for record in page.records]


def test_an_index_from_which_records_were_taken_is_made_anew(rig: Rig) -> None:
    wanted = AuditFilter(types=["violation"])
    every = found(rig, wanted)
    assert len(every) == 24
    index = AuditIndex(rig.path)
    index.catch_up()
    index._open().execute("DELETE FROM postings WHERE seq=7")
    index.close()
    assert found(rig, wanted) == every
    (rig.path / INDEX).write_bytes(b"not a database, and long enough to be taken for one" * 100)
    assert found(rig, wanted) == every


def test_a_damaged_record_does_not_hide_those_behind_it(rig: Rig) -> None:
    path = paths(rig.path)[0]
    lines = path.read_bytes().splitlines()
    at = record_at(lines, 2)
    lines[at] = b"\xff" * len(lines[at])
    put_lines(path, lines)
    assert found(rig, AuditFilter(types=["violation"])) == [seq for seq in range(24) if seq != 2]


def test_a_deleted_record_hides_no_other_file(rig: Rig) -> None:
    def delete(lines: list[bytes]) -> None:
        del lines[record_at(lines, 2)]

    change(paths(rig.path)[0], delete)
    assert found(rig, AuditFilter(types=["violation"]))[-16:] == list(range(8, 24))


def test_files_with_other_names_are_no_files_of_the_log(rig: Rig) -> None:
    (rig.path / "audit-00000009.jsonl").mkdir()
    assert [file.number for file in list_files(rig.path)] == [1, 2, 3]
    rig.write(rig.open().chain_writer, [event(0, 0)])
    rig.crash()


@pytest.mark.parametrize("number", [1, 2])
def test_a_damaged_head_hides_no_record(rig: Rig, number: int) -> None:
    spoil(paths(rig.path)[number], b'{"head":"')
    assert found(rig, AuditFilter()) == list(range(24))
