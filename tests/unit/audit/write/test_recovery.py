"""How a log is gone on with: after an order, a crash, a theft, and when it can't be."""

import errno
import os
import shutil
import struct
import sys
from pathlib import Path

import pytest

from deskbus.audit.format import key_ratchet
from deskbus.audit.format.lines import CHECKPOINT, HEAD, read_checkpoint, read_head
from deskbus.audit.format.signed_note import NoteError, split
from deskbus.audit.store.anchor import Anchor
from deskbus.audit.store.audit_folder import GENESIS, KEYS, AuditFolder, list_files
from deskbus.audit.store.key_file import KeyFile
from deskbus.audit.verify.verifier import Verifier, known_head_of, own_key
from deskbus.audit.write.chain_writer import KEYS_EVERY_S
from tests.unit.audit.forger import change, lines_of, paths, put_lines, recompute, record_at
from tests.unit.audit.rig import Rig, event

if sys.platform != "win32":
    import fcntl


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "audit")


def verdict_of(rig: Rig) -> str:
    return Verifier(rig.path, own_key(rig.path)).run().verdict


def test_each_run_has_a_file_of_its_own_and_the_sequence_goes_on(rig: Rig) -> None:
    rig.run(2)
    rig.run(3, 1)
    assert [path.name for path in paths(rig.path)] == [
        "audit-00000001.jsonl",
        "audit-00000002.jsonl",
    ]
    assert Verifier(rig.path, own_key(rig.path)).run().size == 6


def test_files_are_for_their_owner_and_closed_ones_for_reading_only(rig: Rig) -> None:
    rig.run(1)
    opening = rig.open()
    closed, current = paths(rig.path)
    assert closed.stat().st_mode & 0o777 == 0o400
    assert current.stat().st_mode & 0o777 == 0o600
    assert (rig.path / KEYS).stat().st_mode & 0o777 == 0o600
    assert rig.path.stat().st_mode & 0o777 == 0o700
    rig.end(opening.chain_writer)


def test_unsigned_records_of_a_crash_are_taken_in_and_a_torn_one_stays_where_it_is(
    rig: Rig,
) -> None:
    chain_writer = rig.open().chain_writer
    rig.write(chain_writer, [event(0, at) for at in range(10)])
    rig.crash()
    path = paths(rig.path)[0]
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b'{"checkpoint"') - 100])
    before = path.read_bytes()
    assert verdict_of(rig) == "UNCLEAN TAIL"
    opening = rig.open()
    assert (opening.unsigned, opening.torn_bytes > 0, opening.set_aside) == (9, True, "")
    assert path.read_bytes() == before
    rig.end(opening.chain_writer)
    assert verdict_of(rig) == "OK"


def test_no_key_signs_twice_whatever_the_moment_of_the_crash(rig: Rig, tmp_path: Path) -> None:
    """Every moment of a run is a crash; all that is ever signed with one key is the same."""
    chain_writer = rig.open().chain_writer
    moments = []
    for number in range(4):
        rig.write(chain_writer, [event(number, 0)])
        moment = tmp_path / f"moment-{number}"
        shutil.copytree(rig.path, moment)
        moments.append(moment)
    rig.crash()
    signed: dict[str, set[str]] = {}
    for moment in moments:
        other = Rig(moment)
        other.run(1)
        for file in list_files(moment):
            for line in file.path.read_bytes().splitlines():
                for body, key in signatures(line):
                    signed.setdefault(key, set()).add(body)
    # The head key of a file is used once for each head that could follow: these are four worlds.
    ordinary = {key: bodies for key, bodies in signed.items() if len(bodies) > 1}
    heads = {body for bodies in ordinary.values() for body in bodies}
    assert all("\nhead " in body for body in heads)


def signatures(line: bytes) -> list[tuple[str, str]]:
    """The signed text, and the first bytes of each signature, which name its key."""
    if line.startswith(CHECKPOINT):
        note = read_checkpoint(line)
    elif line.startswith(HEAD):
        note = read_head(line).note
    else:
        return []
    body, lines = split(note)
    return [(body, text.rpartition(" ")[2][:5]) for text in lines]


def test_a_head_that_was_ready_when_the_process_died_is_the_one_that_is_written(rig: Rig) -> None:
    rig.run(2)
    rig.open()
    rig.crash()
    path = paths(rig.path)[-1]
    whole = path.read_bytes()
    for left in (0, 1, 200, len(whole) - 1):
        path.chmod(0o600)
        path.write_bytes(whole[:left])
        other = Rig(rig.path.with_name(f"left-{left}"))
        shutil.copytree(rig.path, other.path)
        other.run(1)
        assert paths(other.path)[1].read_bytes().startswith(whole)
        assert verdict_of(other) == "OK"
    path.unlink()
    rig.run(1)
    assert paths(rig.path)[1].read_bytes() == whole


def test_a_key_file_that_is_behind_the_log_catches_up(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    keys = (rig.path / KEYS).read_bytes()
    for number in range(5):
        rig.write(chain_writer, [event(number, 0)])
    rig.end(chain_writer)
    (rig.path / KEYS).write_bytes(keys)
    rig.run(1)
    assert verdict_of(rig) == "OK"


@pytest.mark.requirement("8.4")
def test_the_keys_of_the_last_batches_are_gone_after_an_orderly_end(rig: Rig) -> None:
    """They are saved every few seconds only; a thief of the folder must not find an older one."""
    opening = rig.open()
    at_first = (rig.path / KEYS).read_bytes()
    rig.write(opening.chain_writer, [event(0, at) for at in range(3)])
    assert (rig.path / KEYS).read_bytes() == at_first
    rig.end(opening.chain_writer)
    assert (rig.path / KEYS).read_bytes() != at_first
    assert verdict_of(rig) != "TAMPERED"


def test_a_stolen_signing_key_does_not_rewrite_the_past(rig: Rig) -> None:
    """The thief has every secret of this moment, and the files; the officer has the public key."""
    chain_writer = rig.open().chain_writer
    for number in range(4):
        rig.write(chain_writer, [event(number, at) for at in range(3)])
    rig.clock.pass_ms(int(KEYS_EVERY_S * 1000))
    assert chain_writer.keep_keys()
    key = own_key(rig.path)
    state = KeyFile(rig.path / KEYS, None).load()
    assert state is not None
    rig.crash()
    stolen = [
        key_ratchet.signing_key(bytearray(state.seed)),
        key_ratchet.recovery_key(bytearray(state.seed)),
    ]
    for thief in stolen:
        other = Rig(rig.path.with_name(f"thief-{stolen.index(thief)}"))
        shutil.copytree(rig.path, other.path)

        def edit(lines: list[bytes]) -> None:
            at = record_at(lines, 1)
            lines[at] = lines[at].replace(b"com.example", b"com.exemple")

        change(paths(other.path)[0], edit)
        recompute(other.path, thief)
        assert Verifier(other.path, key).run().verdict == "TAMPERED"


@pytest.mark.parametrize("what", ["cut", "first file", "all", "keys", "anchor", "key"])
def test_a_log_that_can_not_be_gone_on_with_is_set_aside_untouched(rig: Rig, what: str) -> None:
    rig.run(2, 2)
    rig.run(1)
    verdict = Verifier(rig.path, own_key(rig.path)).run()
    mark = known_head_of(verdict.checkpoint, "anchor")
    anchor = Anchor(key=own_key(rig.path), size=mark.size, root=mark.root)
    if what == "cut":
        path = paths(rig.path)[-1]
        put_lines(path, lines_of(path)[:1])
    elif what == "all":
        for path in paths(rig.path):
            path.unlink()
    elif what == "keys":
        (rig.path / KEYS).unlink()
    elif what == "anchor":
        anchor = Anchor(key=anchor.key, size=anchor.size + 1, root=anchor.root)
    elif what == "key":
        anchor = Anchor(key="another", size=0, root=b"")
    else:
        for path in paths(rig.path):
            path.unlink()
        rig.run(1)
    opening = rig.open(anchor=anchor)
    assert opening.reason
    assert (rig.path / opening.set_aside).is_dir()
    rig.write(opening.chain_writer, [event(0, 0)])
    rig.end(opening.chain_writer)
    assert verdict_of(rig) == "OK"
    assert Verifier(rig.path, anchor.key if what != "key" else verdict.key).run().verdict == (
        "TAMPERED"
    )


def test_an_anchor_that_is_behind_the_log_is_no_reason_to_complain(rig: Rig) -> None:
    rig.run(2)
    verdict = Verifier(rig.path, own_key(rig.path)).run()
    mark = known_head_of(verdict.checkpoint, "anchor")
    rig.run(2)
    opening = rig.open(anchor=Anchor(key=own_key(rig.path), size=mark.size, root=mark.root))
    assert opening.set_aside == ""
    rig.end(opening.chain_writer)


def test_a_file_ends_when_it_is_large_and_when_the_day_does(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit", max_bytes=4000)
    chain_writer = rig.open().chain_writer
    for number in range(5):
        rig.write(chain_writer, [event(number, at) for at in range(10)])
    files = chain_writer.file
    assert files == 4
    rig.clock.pass_ms(24 * 3600 * 1000)
    rig.write(chain_writer, [event(9, 0)])
    assert chain_writer.file == files + 1
    rig.end(chain_writer)
    assert verdict_of(rig) == "OK"


def test_the_genesis_key_is_kept_nowhere(rig: Rig) -> None:
    rig.run(1)
    state = KeyFile(rig.path / KEYS, None).load()
    assert state is not None
    public = own_key(rig.path)
    for seed in (bytearray(state.seed), bytearray(state.head_seed)):
        for secret in (key_ratchet.signing_key(seed), key_ratchet.recovery_key(seed)):
            assert secret.public_key().public_bytes_raw().hex() not in public
    assert (rig.path / GENESIS).stat().st_mode & 0o777 == 0o400
    with pytest.raises(NoteError):
        Verifier(rig.path, "not a key")


@pytest.mark.skipif(sys.platform != "linux", reason="an attribute of Linux file systems")
def test_the_append_only_attribute_hinders_changes_and_not_retention(tmp_path: Path) -> None:
    """Where the platform gives it; elsewhere the log lives the same life without it."""
    folder = AuditFolder(tmp_path, append_only=True)
    folder.claim()
    descriptor = folder.open_to_append(1)
    try:
        folder.write(descriptor, b"one\n")
        flags = struct.unpack("l", fcntl.ioctl(descriptor, 0x80086601, bytes(8)))[0]
        if flags & 0x20:
            with pytest.raises(PermissionError):
                (tmp_path / "audit-00000001.jsonl").write_bytes(b"other\n")
        folder.write(descriptor, b"two\n")
        folder.cut(descriptor, 4)
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)
        folder.finish(1)
    file = folder.files()[0]
    folder.compress(file)
    folder.remove(folder.files()[0].path)
    assert folder.files() == []
    folder.release()
