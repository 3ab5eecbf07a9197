"""Faults that the chain's verifier notices in one file, before others are compared with it."""

from pathlib import Path

import pytest

from deskbus.audit.format import checkpoint
from deskbus.audit.format.lines import checkpoint_line, head_line, read_head
from deskbus.audit.format.merkle import Frontier
from deskbus.audit.format.signed_note import parse_key
from deskbus.audit.verify.chain_verifier import MAX_UNSIGNED, ChainVerifier, Tampered
from deskbus.audit.verify.verifier import Verifier, own_key
from tests.unit.audit.forger import change, lines_of, paths, record_at
from tests.unit.audit.rig import Rig, event


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path / "audit")
    rig.run(3)
    return rig


def begun(rig: Rig) -> tuple[ChainVerifier, list[bytes]]:
    """A verifier behind the head of the only file, and the lines that follow it."""
    verifier = ChainVerifier(*parse_key(own_key(rig.path)))
    head, *lines = lines_of(paths(rig.path)[0])
    verifier.begin_file(head, 1)
    return verifier, lines


@pytest.mark.requirement("8.4")
def test_a_head_in_the_place_of_another_files_is_noticed_though_it_is_signed(rig: Rig) -> None:
    verifier = ChainVerifier(*parse_key(own_key(rig.path)))
    head = lines_of(paths(rig.path)[0])[0]
    with pytest.raises(Tampered, match="belongs to another file"):
        verifier.begin_file(head, 2)


@pytest.mark.requirement("8.4")
def test_a_head_of_another_log_is_noticed_though_the_key_fits(rig: Rig) -> None:
    _, signer = parse_key(own_key(rig.path))
    head = lines_of(paths(rig.path)[0])[0]
    with pytest.raises(Tampered):
        ChainVerifier("another.log/audit", signer).begin_file(head, 1)


@pytest.mark.requirement("8.4")
def test_more_records_than_a_crash_can_leave_need_a_checkpoint(rig: Rig) -> None:
    verifier, lines = begun(rig)
    verifier.take(lines)
    assert verifier.size == 3
    verifier.take([lines[0]] * MAX_UNSIGNED)
    assert verifier.unsigned == (MAX_UNSIGNED, 0)
    with pytest.raises(Tampered, match="no checkpoint covers"):
        verifier.take([lines[0]])


def followed(rig: Rig) -> ChainVerifier:
    """A verifier behind all files; raises `Tampered`."""
    verifier = ChainVerifier(*parse_key(own_key(rig.path)))
    for number, path in enumerate(paths(rig.path), 1):
        head, *lines = path.read_bytes().split(b"\n")
        verifier.begin_file(head, number)
        verifier.take(lines[:-1])
        verifier.end_file(lines[-1])
    return verifier


def take_out(path: Path, number: int) -> None:
    """Takes record `number` out of a file; from the end with less than 0."""

    def edit(lines: list[bytes]) -> None:
        del lines[record_at(lines, number)]

    change(path, edit)


def crashed(rig: Rig, *, torn: int = 0) -> None:
    """A run that left two records without a checkpoint, and a part of a third; and one after it."""
    chain_writer = rig.open().chain_writer
    rig.write(chain_writer, [event(0, at) for at in range(3)])
    rig.crash()
    path = paths(rig.path)[-1]
    content = path.read_bytes()
    at = content.rindex(b'{"seq":')
    path.write_bytes(content[: at + torn])
    rig.run(1)


def test_a_verdict_says_in_words_where_it_shows() -> None:
    found = Tampered("a record before this one was changed", 7)
    assert (str(found), found.reason, found.seq) == (found.reason, str(found), 7)


def test_of_a_log_that_is_whole_nothing_is_left_over(rig: Rig) -> None:
    rig.run(2)
    verifier = followed(rig)
    assert (verifier.size, verifier.unsigned, verifier.unclean_ends) == (5, (0, 0), [])
    assert (verifier.first, verifier.pruned_through) == (0, -1)


@pytest.mark.requirement("8.4")
def test_a_checkpoint_that_skips_one_is_noticed_though_it_is_signed(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    chain_writer._batch += 1
    rig.write(chain_writer, [event(0, 0)])
    rig.end(chain_writer)
    with pytest.raises(Tampered, match="a checkpoint is missing, or comes twice"):
        followed(rig)


@pytest.mark.requirement("8.4")
def test_a_head_that_skips_a_checkpoint_is_noticed_though_it_is_signed(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    chain_writer._batch += 1
    chain_writer.begin_file()
    rig.end(chain_writer)
    with pytest.raises(Tampered, match="does not follow the file before"):
        followed(rig)


@pytest.mark.requirement("8.4")
def test_a_head_in_the_midst_of_a_file_is_noticed_though_it_is_signed(rig: Rig) -> None:
    chain_writer = rig.open().chain_writer
    said = checkpoint.CheckpointHead(number=2, boot="run", head=bytes(32))
    made = chain_writer._checkpoint(
        chain_writer._frontier, chain_writer._batch, chain_writer._seed, said
    )
    line = checkpoint_line(checkpoint.sign(made, chain_writer._signer))
    rig.end(chain_writer)
    change(paths(rig.path)[-1], lambda lines: lines.append(line))
    with pytest.raises(Tampered, match="a checkpoint is missing, or comes twice"):
        followed(rig)


@pytest.mark.requirement("8.4")
def test_a_record_that_is_cut_off_before_its_checkpoint_is_missed_by_it(rig: Rig) -> None:
    take_out(paths(rig.path)[0], -1)
    with pytest.raises(Tampered, match="covers another number of records"):
        followed(rig)


@pytest.mark.requirement("8.4")
def test_a_head_that_does_not_fit_its_own_size_is_noticed(rig: Rig) -> None:
    head = lines_of(paths(rig.path)[0])[0]
    nodes = Frontier()
    nodes.append(bytes(32))
    verifier = ChainVerifier(*parse_key(own_key(rig.path)))
    with pytest.raises(Tampered, match="does not fit its own size") as found:
        verifier.begin_file(head_line(read_head(head).note, nodes), 1)
    assert found.value.seq == 0


@pytest.mark.requirement("8.4")
@pytest.mark.parametrize("torn", [0, 20])
def test_what_a_crash_left_behind_is_told_and_no_fault(rig: Rig, torn: int) -> None:
    crashed(rig, torn=torn)
    verifier = followed(rig)
    assert verifier.unclean_ends == [(5, 2, torn)]
    assert verifier.unsigned == (0, 0)


@pytest.mark.requirement("8.4")
def test_records_that_a_crash_left_behind_can_not_be_taken_away_afterwards(rig: Rig) -> None:
    crashed(rig)
    take_out(paths(rig.path)[1], -1)
    with pytest.raises(Tampered, match="records at the end of the file before are missing"):
        followed(rig)


@pytest.mark.requirement("8.4")
def test_bytes_that_came_behind_a_file_s_end_later_are_noticed(rig: Rig) -> None:
    rig.run(1)
    path = paths(rig.path)[0]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b'{"seq":')
    with pytest.raises(Tampered, match="not what its successor found"):
        followed(rig)


@pytest.mark.requirement("8.4")
def test_a_torn_end_is_the_one_that_its_successor_found_and_no_other(rig: Rig) -> None:
    crashed(rig, torn=20)
    path = paths(rig.path)[1]
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Tampered, match="not what its successor found"):
        followed(rig)


@pytest.mark.requirement("8.4")
def test_a_file_of_a_pruned_log_needs_the_key_of_the_file_before_it_too(rig: Rig) -> None:
    """The heads' key alone, as a thief of one may have it, begins no file."""
    chain_writer = rig.open().chain_writer
    chain_writer._seed = bytearray(32)
    chain_writer.begin_file()
    rig.end(chain_writer)
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "TAMPERED"
    first, second, _ = [lines_of(path)[0] for path in paths(rig.path)]
    found = checkpoint.read(read_head(first).note).head
    assert found is not None
    verifier = ChainVerifier(parse_key(own_key(rig.path))[0], found.head)
    verifier.begin_file(second, 2)
    with pytest.raises(Tampered, match="the key that should have signed has not"):
        verifier.begin_file(lines_of(paths(rig.path)[2])[0], 3)
