"""Exports and their proofs: checked without the log, with its public key alone."""

import csv
import io
import math
from pathlib import Path

import pytest
from msgspec import structs

from deskbus.audit.format.merkle import ProofError
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.proof.proof_bundle import (
    Bundle,
    Prover,
    check_bundle,
    check_consistent,
    make_bundle,
    make_consistency,
    read_chain,
)
from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.report import export
from deskbus.audit.report.export import ExportError
from deskbus.audit.store.maintenance import Now, plan_prune, remove
from deskbus.audit.store.retention import AuditRetention
from deskbus.audit.verify.verifier import Verifier, known_head_of, own_key
from deskbus_protocol.audit import AuditFilter, AuditFormat
from deskbus_protocol.events import AuditPruned, Violation
from tests.unit.audit.rig import Rig

FORMS: list[AuditFormat] = ["json", "ndjson", "csv"]


class Exporter:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.key = own_key(rig.path)
        self.index = AuditIndex(rig.path)
        self.index.catch_up()
        self.search = AuditSearch(rig.path, self.index)
        self.chain = read_chain(rig.path)
        self.prover = Prover(self.search, self.index, self.chain)

    def export(self, wanted: AuditFilter, limit: int = 1000) -> tuple[list[bytes], Bundle]:
        found = self.search.find(
            wanted, order="oldest", limit=limit, cursor=None, within_s=math.inf
        )
        seqs = [record.seq for record in found.records]
        return found.lines, make_bundle(self.key, self.chain, seqs, self.prover.subtree)


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    rig = Rig(tmp_path / "audit")
    rig.run(300, 2)
    rig.run(260, 9)
    rig.run(3)
    return Exporter(rig)


@pytest.mark.requirement("8.5")
@pytest.mark.parametrize("form", FORMS)
def test_an_export_of_any_form_proves_itself(exporter: Exporter, form: AuditFormat) -> None:
    lines, bundle = exporter.export(AuditFilter(apps=["com.example.app1"]))
    assert len(lines) > 100
    content = export.encode(lines, form)
    again = export.decode(content, form)
    assert again == lines
    assert check_bundle(bundle, again, exporter.key).size == 574


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_export_does_not(exporter: Exporter, form: AuditFormat) -> None:
    lines, bundle = exporter.export(AuditFilter(), limit=20)
    content = export.encode(lines, form).replace("com.example.app3", "com.example.app4")
    with pytest.raises((ProofError, ExportError)):
        check_bundle(bundle, export.decode(content, form), exporter.key)
    with pytest.raises(ProofError):
        check_bundle(bundle, lines[:-1], exporter.key)
    with pytest.raises(ProofError):
        check_bundle(bundle, [*lines[:-1], lines[0]], exporter.key)


def test_a_cell_of_a_table_can_not_say_other_than_its_record(exporter: Exporter) -> None:
    lines, _ = exporter.export(AuditFilter(), limit=3)
    content = export.encode(lines, "csv")
    first = content.splitlines()[1]
    changed = content.replace(first, first.replace("com.example.app0,", "com.example.app9,", 1), 1)
    assert changed != content
    with pytest.raises(ExportError):
        export.decode(changed, "csv")


def test_a_proof_of_another_log_proves_nothing(exporter: Exporter, tmp_path: Path) -> None:
    other = Rig(tmp_path / "other")
    other.run(300, 2)
    lines, bundle = exporter.export(AuditFilter(), limit=5)
    with pytest.raises(NoteError):
        check_bundle(bundle, lines, own_key(other.path))
    theirs = Exporter(other)
    with pytest.raises((NoteError, ProofError)):
        check_bundle(structs.replace(bundle, heads=theirs.chain.heads), lines, exporter.key)


def test_every_record_has_a_proof_also_behind_removed_files(exporter: Exporter) -> None:
    rig = exporter.rig
    chain_writer = rig.open().chain_writer
    keep = AuditRetention(max_age_ms=10**15, max_bytes=100_000)
    plan = plan_prune(rig.folder, keep, chain_writer.file, Now(0, 0, 0))
    assert plan is not None
    rig.write(chain_writer, [AuditPruned(through=plan.through, files=len(plan.files))])
    remove(rig.folder, plan.files)
    rig.end(chain_writer)
    after = Exporter(rig)
    lines, bundle = after.export(AuditFilter())
    assert len(lines) == 574 + 1 - (plan.through + 1)
    assert check_bundle(bundle, lines, exporter.key).size == 575


def test_the_log_is_proven_to_go_on_from_a_kept_checkpoint(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "audit")
    rig.run(70)
    kept = known_head_of(Verifier(rig.path, own_key(rig.path)).run().checkpoint, "kept")
    rig.run(300)
    now = Exporter(rig)
    proof = make_consistency(now.key, now.chain, kept.size, kept.root, now.prover.subtree)
    assert check_consistent(proof, now.key).size == 370
    with pytest.raises(ProofError):
        make_consistency(now.key, now.chain, kept.size, bytes(32), now.prover.subtree)
    with pytest.raises(ProofError):
        check_consistent(structs.replace(proof, size=69), now.key)


@pytest.mark.requirement("8.5")
@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1"]
)
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    rig = Rig(tmp_path / "audit")
    chain_writer = rig.open().chain_writer
    made = Violation(app=text, client=text, reason=text, kind=text, correlation_id=text)
    lines = rig.write(chain_writer, [made])
    rig.end(chain_writer)
    content = export.encode(lines, "csv")
    (_, row) = csv.reader(io.StringIO(content, newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert export.decode(content, "csv") == lines


@pytest.mark.parametrize("form", FORMS)
def test_an_export_of_nothing_is_whole(exporter: Exporter, form: AuditFormat) -> None:
    lines, bundle = exporter.export(AuditFilter(types=["nothing"]))
    assert export.decode(export.encode(lines, form), form) == []
    assert check_bundle(bundle, [], exporter.key).size == 574


@pytest.mark.parametrize(
    "tail", ["\r\n", "\n\n", ",,,,,,,,,,,,\r\n", " ", "\u2028", "x" * 200_000, "[", '"']
)
@pytest.mark.parametrize("form", FORMS)
def test_nothing_can_be_put_behind_an_export(
    exporter: Exporter, form: AuditFormat, tail: str
) -> None:
    lines, _ = exporter.export(AuditFilter(), limit=3)
    with pytest.raises(ExportError):
        export.decode(export.encode(lines, form) + tail, form)


@pytest.mark.parametrize("record", ["[]", "7", '{"seq":"x","time":"now"}', "{", "[" * 10_000])
def test_a_row_without_a_record_is_no_fault(record: str) -> None:
    with pytest.raises(ExportError):
        export.decode(f'{export.encode([], "csv")}1,"{record}"\r\n', "csv")
