"""Faults that the chain's verifier notices in one file, before others are compared with it."""

from pathlib import Path

import pytest

from deskbus.audit.format.signed_note import parse_key
from deskbus.audit.verify.chain_verifier import MAX_UNSIGNED, ChainVerifier, Tampered
from deskbus.audit.verify.verifier import own_key
from tests.unit.audit.forger import lines_of, paths
from tests.unit.audit.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path / "audit")
    rig.run(3)
    return rig


def begun(rig: Rig) -> tuple[ChainVerifier, list[bytes]]:
    """A verifier behind the head of the only file, and the lines that follow it."""
    verifier = ChainVerifier(*parse_key(own_key(rig.path)), 1)
    head, *lines = lines_of(paths(rig.path)[0])
    verifier.begin_file(head, 1)
    return verifier, lines


@pytest.mark.requirement("8.4")
def test_a_head_in_the_place_of_another_files_is_noticed_though_it_is_signed(rig: Rig) -> None:
    verifier = ChainVerifier(*parse_key(own_key(rig.path)), 1)
    head = lines_of(paths(rig.path)[0])[0]
    with pytest.raises(Tampered, match="belongs to another file"):
        verifier.begin_file(head, 2)


@pytest.mark.requirement("8.4")
def test_a_head_of_another_log_is_noticed_though_the_key_fits(rig: Rig) -> None:
    _, signer = parse_key(own_key(rig.path))
    head = lines_of(paths(rig.path)[0])[0]
    with pytest.raises(Tampered):
        ChainVerifier("another.log/audit", signer, 1).begin_file(head, 1)


@pytest.mark.requirement("8.4")
def test_more_records_than_a_crash_can_leave_need_a_checkpoint(rig: Rig) -> None:
    verifier, lines = begun(rig)
    verifier.take(lines)
    assert verifier.size == 3
    verifier.take([lines[0]] * MAX_UNSIGNED)
    assert verifier.unsigned == (MAX_UNSIGNED, 0)
    with pytest.raises(Tampered, match="no checkpoint covers"):
        verifier.take([lines[0]])
