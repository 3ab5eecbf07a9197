"""The tampering suite: whatever is done to the files of a log, its verifier tells."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deskbus.audit.format.lines import CHECKPOINT, RECORD, read_checkpoint
from deskbus.audit.verify.verifier import KnownHead, Verifier, known_head_of, own_key
from deskbus.storage.folder_lock import FolderBusyError
from deskbus_protocol.audit import AuditVerdict
from tests.unit.audit.forger import change, lines_of, paths, put_lines, recompute, record_at
from tests.unit.audit.rig import Rig, event


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Four files: a run each, with batches of several sizes."""
    rig = Rig(tmp_path / "audit")
    for batches in ((3, 300, 1), (5, 2), (4,), (6, 1)):
        rig.run(*batches)
    return rig


@pytest.fixture
def key(rig: Rig) -> str:
    """The genesis public key, as the officer has it."""
    return own_key(rig.path)


@pytest.fixture
def anchor(rig: Rig, key: str) -> KnownHead:
    """The end of the log that the keychain knows."""
    verdict = Verifier(rig.path, key).run()
    return known_head_of(verdict.checkpoint, "the keychain")


def verify(rig: Rig, key: str, *marks: KnownHead) -> AuditVerdict:
    return Verifier(rig.path, key, marks=marks).run()


def edit(lines: list[bytes]) -> None:
    at = record_at(lines, 1)
    lines[at] = lines[at].replace(b"com.example", b"com.exemple")


def delete(lines: list[bytes]) -> None:
    del lines[record_at(lines, 1)]


def swap(lines: list[bytes]) -> None:
    one, two = record_at(lines, 1), record_at(lines, 2)
    lines[one], lines[two] = lines[two], lines[one]


def duplicate(lines: list[bytes]) -> None:
    at = record_at(lines, 1)
    lines.insert(at, lines[at])


def insert(lines: list[bytes]) -> None:
    at = record_at(lines, 1)
    lines.insert(at, lines[at].replace(b"com.example", b"com.invented"))


Edit = Callable[[list[bytes]], None]
EDITS = [edit, delete, swap, duplicate, insert]


@pytest.mark.requirement("8.4")
def test_an_untouched_log_is_ok(rig: Rig, key: str, anchor: KnownHead) -> None:
    verdict = verify(rig, key, anchor)
    assert (verdict.verdict, verdict.records, verdict.findings) == ("OK", 322, [])
    assert verdict.anchor == "the keychain"


@pytest.mark.requirement("8.4")
@pytest.mark.parametrize("how", EDITS, ids=lambda how: how.__name__)
@pytest.mark.parametrize("number", range(4))
def test_a_record_can_not_be_changed(rig: Rig, key: str, how: Edit, number: int) -> None:
    path = paths(rig.path)[number]
    change(path, how)
    verdict = verify(rig, key)
    assert (verdict.verdict, verdict.file) == ("TAMPERED", path.name)
    assert isinstance(verdict.seq, int)
    assert verdict.reason


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed-by-another"])
@pytest.mark.parametrize("how", EDITS, ids=lambda how: how.__name__)
def test_a_record_can_not_be_changed_with_the_chain_recomputed(
    rig: Rig, key: str, how: Edit, signed: bool
) -> None:
    change(paths(rig.path)[1], how)
    recompute(rig.path, Ed25519PrivateKey.generate() if signed else None)
    assert verify(rig, key).verdict == "TAMPERED"


def test_a_verdict_names_the_record(rig: Rig, key: str) -> None:
    change(paths(rig.path)[1], edit)
    verdict = verify(rig, key)
    # 304 records are in the first file; the edited one is the second of the next.
    assert verdict.seq == 306
    assert "does not follow" in verdict.reason


def test_the_last_record_of_a_batch_is_covered_by_its_root(rig: Rig, key: str) -> None:
    def edit_last(lines: list[bytes]) -> None:
        at = record_at(lines, -1)
        lines[at] = lines[at].replace(b'"acl"', b'"all"')

    change(paths(rig.path)[3], edit_last)
    verdict = verify(rig, key)
    assert (verdict.verdict, verdict.reason) == (
        "TAMPERED",
        "a record before this one was changed",
    )


def test_a_mac_can_not_be_changed(rig: Rig, key: str) -> None:
    def forge(lines: list[bytes]) -> None:
        at = record_at(lines, -1)
        lines[at] = lines[at][:-10] + b"AAAAAA=" + lines[at][-3:]

    change(paths(rig.path)[0], forge)
    assert verify(rig, key).verdict == "TAMPERED"


@pytest.mark.requirement("8.4")
def test_the_first_file_can_not_be_deleted(rig: Rig, key: str) -> None:
    paths(rig.path)[0].unlink()
    verdict = verify(rig, key)
    assert (verdict.verdict, verdict.reason) == ("TAMPERED", "file 1 is missing")


def test_a_file_in_the_middle_can_not_be_deleted(rig: Rig, key: str) -> None:
    paths(rig.path)[1].unlink()
    verdict = verify(rig, key)
    assert (verdict.verdict, verdict.reason) == ("TAMPERED", "file 2 is missing")


@pytest.mark.requirement("8.4")
def test_the_last_file_can_not_be_deleted(rig: Rig, key: str, anchor: KnownHead) -> None:
    paths(rig.path)[-1].unlink()
    verdict = verify(rig, key, anchor)
    assert verdict.verdict == "TAMPERED"
    assert "the log was cut back: the keychain saw 322 records" in verdict.reason


@pytest.mark.requirement("8.4")
def test_the_tail_can_not_be_cut_off(rig: Rig, key: str, anchor: KnownHead) -> None:
    def cut(lines: list[bytes]) -> None:
        del lines[record_at(lines, -1) :]

    change(paths(rig.path)[-1], cut)
    assert verify(rig, key).verdict == "OK", "which no file can tell: see docs/audit.md"
    assert verify(rig, key, anchor).verdict == "TAMPERED"


def test_all_files_can_not_be_deleted(rig: Rig, key: str) -> None:
    for path in paths(rig.path):
        path.unlink()
    verdict = verify(rig, key)
    assert (verdict.verdict, verdict.reason) == ("TAMPERED", "there is no file of the log")


def test_a_new_log_in_place_of_all_files_is_not_this_log(rig: Rig, key: str) -> None:
    shutil.rmtree(rig.path)
    rig.run(3, 300, 1)
    assert verify(rig, own_key(rig.path)).verdict == "OK"
    assert verify(rig, key).verdict == "TAMPERED"


def test_files_can_not_be_swapped(rig: Rig, key: str) -> None:
    _, two, three, _ = paths(rig.path)
    two_content, three_content = two.read_bytes(), three.read_bytes()
    put_lines(two, three_content.splitlines())
    put_lines(three, two_content.splitlines())
    assert verify(rig, key).verdict == "TAMPERED"


def test_a_file_of_another_installation_is_not_taken(rig: Rig, key: str, tmp_path: Path) -> None:
    other = Rig(tmp_path / "other")
    for batches in ((3, 300, 1), (5, 2), (4,), (6, 1)):
        other.run(*batches)
    put_lines(paths(rig.path)[2], lines_of(paths(other.path)[2]))
    assert verify(rig, key).verdict == "TAMPERED"


def test_lines_of_another_installation_are_not_taken(rig: Rig, key: str, tmp_path: Path) -> None:
    other = Rig(tmp_path / "other")
    for batches in ((3, 300, 1), (5, 2), (4,), (6, 1)):
        other.run(*batches)
    theirs = lines_of(paths(other.path)[2])[1:]
    put_lines(paths(rig.path)[2], [lines_of(paths(rig.path)[2])[0], *theirs])
    assert verify(rig, key).verdict == "TAMPERED"


@pytest.mark.requirement("8.4")
def test_the_whole_folder_can_not_be_rolled_back(rig: Rig, key: str, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(rig.path, before)
    rig.run(7)
    anchor = known_head_of(verify(rig, key).checkpoint, "the keychain")
    shutil.rmtree(rig.path)
    shutil.copytree(before, rig.path)
    verdict = verify(rig, key, anchor)
    assert verdict.verdict == "TAMPERED"
    assert "cut back" in verdict.reason


def test_a_log_that_went_on_otherwise_after_a_rollback_is_not_the_anchored_one(
    rig: Rig, key: str, tmp_path: Path
) -> None:
    before = tmp_path / "before"
    shutil.copytree(rig.path, before)
    rig.run(7)
    anchor = known_head_of(verify(rig, key).checkpoint, "the keychain")
    shutil.rmtree(rig.path)
    shutil.copytree(before, rig.path)
    rig.run(8)
    assert verify(rig, key).verdict == "OK", "with its keys rolled back as well, it looks whole"
    verdict = verify(rig, key, anchor)
    assert verdict.verdict == "TAMPERED"
    assert "the keychain saw" in verdict.reason


def checkpoint_at(lines: list[bytes], number: int) -> int:
    return [at for at, line in enumerate(lines) if line.startswith(CHECKPOINT)][number]


def test_a_checkpoint_can_not_be_deleted(rig: Rig, key: str) -> None:
    def delete_it(lines: list[bytes]) -> None:
        del lines[checkpoint_at(lines, 1)]

    change(paths(rig.path)[0], delete_it)
    assert verify(rig, key).verdict == "TAMPERED"


def test_an_old_checkpoint_can_not_be_put_back(rig: Rig, key: str) -> None:
    def put_back(lines: list[bytes]) -> None:
        lines[checkpoint_at(lines, 1)] = lines[checkpoint_at(lines, 0)]

    change(paths(rig.path)[0], put_back)
    assert verify(rig, key).verdict == "TAMPERED"


def test_a_checkpoint_can_not_come_twice(rig: Rig, key: str) -> None:
    def repeat(lines: list[bytes]) -> None:
        at = checkpoint_at(lines, 0)
        lines.insert(at, lines[at])

    change(paths(rig.path)[0], repeat)
    assert verify(rig, key).verdict == "TAMPERED"


def test_an_anchor_from_before_fits_a_log_that_is_ahead_of_it(rig: Rig, key: str) -> None:
    lines = lines_of(paths(rig.path)[0])
    old = known_head_of(read_checkpoint(lines[checkpoint_at(lines, 1)]), "an old checkpoint")
    assert verify(rig, key, old).verdict == "OK"


def test_a_second_writer_is_kept_out(rig: Rig) -> None:
    rig.open()
    other = Rig(rig.path)
    with pytest.raises(FolderBusyError):
        other.open()
    rig.crash()


def test_lines_of_two_writers_in_one_file_are_told(rig: Rig, key: str) -> None:
    """As on a file system that locks nothing: both went on from the same end."""
    copy = Rig(rig.path.with_name("copy"))
    chain_writer = rig.open().chain_writer
    shutil.copytree(rig.path, copy.path)
    rig.write(chain_writer, [event(1, at) for at in range(3)])
    rig.crash()
    theirs = copy.open().chain_writer
    copy.write(theirs, [event(2, at) for at in range(3)])
    copy.end(theirs)
    mine, others = paths(rig.path)[-1], paths(copy.path)[-1]
    put_lines(mine, [*lines_of(mine), *lines_of(others)[1:]])
    verdict = verify(rig, key)
    assert verdict.verdict == "TAMPERED"


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.9])
def test_a_byte_flipped_in_a_compressed_file_is_told(rig: Rig, key: str, share: float) -> None:
    file = rig.folder.files()[0]
    rig.folder.compress(file)
    assert verify(rig, key).verdict == "OK"
    path = paths(rig.path)[0]
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 0x10
    path.chmod(0o600)
    path.write_bytes(content)
    verdict = verify(rig, key)
    assert (verdict.verdict, verdict.file) == ("TAMPERED", path.name)


def test_a_compressed_file_that_ends_early_is_told(rig: Rig, key: str) -> None:
    rig.folder.compress(rig.folder.files()[0])
    path = paths(rig.path)[0]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-20])
    assert verify(rig, key).verdict == "TAMPERED"


def test_foreign_lines_at_the_end_are_not_signed_and_never_taken_in(rig: Rig, key: str) -> None:
    path = paths(rig.path)[-1]
    forged = lines_of(path)[record_at(lines_of(path), -1)].replace(b'"seq":321', b'"seq":322')
    put_lines(path, [*lines_of(path), forged])
    assert verify(rig, key).verdict == "UNCLEAN TAIL"
    opening = rig.open()
    assert (opening.unsigned, opening.torn_bytes) == (0, len(forged) + 1)
    rig.write(opening.chain_writer, [event(0, 0)])
    rig.end(opening.chain_writer)
    verdict = verify(rig, key)
    assert (verdict.verdict, verdict.records) == ("OK", 323)
    assert any("left aside: " in finding.text for finding in verdict.findings)
    # And what was left aside is bound by the head of the next file.
    put_lines(path, lines_of(path)[:-1])
    assert verify(rig, key).verdict == "TAMPERED"


def test_a_file_cut_within_a_record_is_an_unclean_tail(rig: Rig, key: str) -> None:
    path = paths(rig.path)[-1]
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[: content.rindex(RECORD) + 40])
    assert verify(rig, key).verdict == "UNCLEAN TAIL"


def test_a_closed_file_cut_within_a_record_is_tampering(rig: Rig, key: str) -> None:
    path = paths(rig.path)[1]
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[: content.rindex(RECORD) + 40])
    assert verify(rig, key).verdict == "TAMPERED"
