"""A clock that was set is told, and is not called tampering."""

from pathlib import Path

from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus_protocol.audit import AuditVerdict
from tests.unit.audit.rig import Rig, event

HOUR_MS = 3_600_000


def verdict_after(path: Path, moved_ms: int) -> AuditVerdict:
    rig = Rig(path)
    rig.clock.pass_ms(12 * HOUR_MS)
    chain_writer = rig.open().chain_writer
    rig.write(chain_writer, [event(0, 0)])
    rig.clock.ms += moved_ms
    rig.write(chain_writer, [event(0, 1)])
    rig.end(chain_writer)
    return Verifier(path, own_key(path)).run()


def test_a_clock_set_back_is_reported(tmp_path: Path) -> None:
    verdict = verdict_after(tmp_path / "audit", -HOUR_MS)
    assert verdict.verdict == "OK"
    (finding,) = verdict.findings
    assert (finding.kind, finding.seq) == ("clock", 1)
    assert finding.text == "the clock was set back by 3600.0 s while the backend ran"
    assert finding.file == "audit-00000001.jsonl"


def test_a_clock_stepped_by_ntp_is_not_called_tampering(tmp_path: Path) -> None:
    verdict = verdict_after(tmp_path / "audit", 4000)
    assert verdict.verdict == "OK"
    assert [finding.text for finding in verdict.findings] == [
        "the clock was set forward by 4.0 s while the backend ran"
    ]


def test_a_clock_that_drifts_is_not_worth_a_word(tmp_path: Path) -> None:
    assert verdict_after(tmp_path / "audit", -300).findings == []


def test_a_run_that_begins_before_the_last_one_ended_is_reported(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    rig.run(1)
    rig.clock.ms -= HOUR_MS
    rig.run(1)
    verdict = Verifier(rig.path, own_key(rig.path)).run()
    assert verdict.verdict == "OK"
    assert [finding.kind for finding in verdict.findings] == ["clock"]
    assert "between two runs" in verdict.findings[0].text
