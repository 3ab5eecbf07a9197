"""The compliance report: what it counts, whom it says held what, and that nothing in it runs."""

import json
from pathlib import Path

import pytest
from msgspec import structs

from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.report.export_file import proof_of
from deskbus.audit.report.html_report import render
from deskbus.audit.report.report_data import GRANTED, Period, ReportData, gather
from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.cli import main
from deskbus.observability.logs import log_pipeline
from deskbus_protocol.audit import AuditVerdict
from deskbus_protocol.events import PermissionGranted, PermissionRevoked, Violation
from tests.unit.audit.rig import START_MS, Rig
from tests.unit.audit.scene import DAY_MS, play


def gathered(rig: Rig, period: Period) -> tuple[ReportData, AuditVerdict]:
    index = AuditIndex(rig.path)
    index.catch_up()
    told: list[tuple[int, int]] = []
    story = gather(AuditSearch(rig.path, index), period, lambda *done: told.append(done))
    index.close()
    assert told[-1][0] == told[-1][1]
    return story, Verifier(rig.path, own_key(rig.path)).run()


@pytest.fixture(autouse=True)
def loggers_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command would bind those of this process to a standard error that ends with the test."""
    monkeypatch.setattr(log_pipeline, "configure", lambda level: None)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path / "audit")
    play(rig)
    return rig


@pytest.mark.requirement("8.5")
def test_a_report_tells_decisions_violations_lives_and_the_verdict(rig: Rig) -> None:
    story, verdict = gathered(rig, Period(None, None))
    page = render(story, verdict, START_MS + 15 * DAY_MS).replace("<wbr>", "")
    assert story.records == verdict.records
    for words in (
        "The log is whole", "com.example.ticker",
        "Who held which permission, and when", "still held", "Violations", "bus.publish",
        "Crashed", "vault.rotated", verdict.key, "</html>",
    ):  # fmt: skip
        assert words in page, words
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http-equiv", "")


def test_a_report_of_a_tampered_log_says_so_first(rig: Rig) -> None:
    story, verdict = gathered(rig, Period(None, None))
    bad = structs.replace(verdict, verdict="TAMPERED", reason="a record was changed", file="f")
    page = render(story, bad, START_MS)
    assert page.index("The log was tampered with") < page.index("Who held which permission")


def test_a_period_has_its_own_records_and_what_was_held_from_before(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    chain_writer = rig.open().chain_writer
    grant = PermissionGranted(
        app="a", permission="secrets", scope="own", holds="always", actor="person"
    )
    rig.write(chain_writer, [grant, structs.replace(grant, app="b")])
    rig.clock.pass_ms(DAY_MS)
    rig.write(chain_writer, [PermissionRevoked(app="b", permission="secrets", scope="own")])
    rig.clock.pass_ms(DAY_MS)
    rig.write(chain_writer, [Violation(app="c", kind="acl")])
    rig.end(chain_writer)
    since = START_MS + DAY_MS + DAY_MS // 2
    story, _ = gathered(rig, Period(since, None))
    assert story.records == 1
    assert [(one.app, one.until_ms) for one in story.holdings] == [("a", None)]
    early, _ = gathered(rig, Period(START_MS, since))
    assert [(one.app, one.ended) for one in early.holdings] == [("a", ""), ("b", "revoked")]
    assert [early.count(GRANTED, app) for app in ("a", "b")] == [1, 1]


def test_nothing_that_an_app_calls_itself_runs_or_hides_in_a_report(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    chain_writer = rig.open().chain_writer
    bad = "<script>alert(1)</script>\u202e\"'><img src=x>"
    rig.write(chain_writer, [Violation(app=bad, kind=bad, method=bad, reason=bad)])
    rig.end(chain_writer)
    page = render(*gathered(rig, Period(None, None)), START_MS)
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "default-src 'none'" in page


def test_an_empty_period_is_a_report_too(rig: Rig) -> None:
    story, verdict = gathered(rig, Period(1, 2))
    page = render(story, verdict, START_MS)
    assert "no request for a permission" in page
    assert "No record is about an app." in page


@pytest.mark.slow
@pytest.mark.requirement("8.5")
def test_the_command_verifies_queries_exports_and_reports(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = ["--log", str(rig.path)]
    assert main(["audit", "verify", *log]) == 3, "a copy has no anchor"
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "UNANCHORED"
    assert "--against" in said.err
    assert main(["audit", "query", *log, "--type", "vault.*", "--oldest"]) == 0
    types = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]
    assert types == ["vault.unlocked", "vault.rotated"]
    table = tmp_path / "out.csv"
    assert main(["audit", "export", *log, str(table), "--format", "csv"]) == 0
    key = own_key(rig.path)
    assert main(["audit", "check", str(table), "--key", key]) == 0
    table.write_bytes(table.read_bytes().replace(b"orders.new", b"orders.old"))
    assert main(["audit", "check", str(table), "--key", key]) == 1
    capsys.readouterr()
    assert main(["audit", "head", *log]) == 0
    head = tmp_path / "head.json"
    head.write_text(capsys.readouterr().out)
    assert main(["audit", "verify", *log, "--against", str(head)]) == 0
    for words in (["7"], ["--since-checkpoint", str(head)]):
        capsys.readouterr()
        assert main(["audit", "prove", *log, *words]) == 0
        proof = tmp_path / "proof.json"
        proof.write_text(capsys.readouterr().out)
        assert main(["audit", "check", str(proof), "--key", key]) == 0
    page = tmp_path / "report.html"
    words = ["audit", "report", *log, str(page), "--since", "2026-01-03"]
    assert main(words) == 3
    assert "its end is not proven" in page.read_text()
    assert "a checkpoint that was kept" in page.read_text()
    assert main([*words, "--against", str(head)]) == 0
    for private in (page, table, proof_of(table)):
        assert private.stat().st_mode & 0o777 == 0o600
    assert page.read_text().startswith("<!doctype html>")


def test_the_command_fails_on_a_log_that_was_changed_or_is_not_there(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rig.folder.files()[0].path
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"orders.new", b"orders.old", 1))
    assert main(["audit", "verify", "--log", str(rig.path)]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "TAMPERED"
    assert said.err.startswith("deskbus: TAMPERED: ")
    assert main(["audit", "query", "--log", str(tmp_path / "none")]) == 1
    assert main(["audit", "query", "--log", str(rig.path), "--since", "soon"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_what_the_command_prints_can_not_move_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(tmp_path / "audit")
    chain_writer = rig.open().chain_writer
    name = "a\x9b31m\x1b]0;owned\x07\u202e\x7f\U0001f600"
    rig.write(chain_writer, [Violation(app=name, kind="acl", reason=name)])
    rig.end(chain_writer)
    assert main(["audit", "query", "--log", str(rig.path)]) == 0
    said = capsys.readouterr().out
    assert said.rstrip("\n").isprintable()
    assert json.loads(said)["app"] == name
