"""Retention: which files go, and how a log without its beginning still verifies."""

import gzip
from pathlib import Path

import pytest

from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.store.audit_folder import PRUNED
from deskbus.audit.store.maintenance import Now, compress_closed, plan_prune, remove
from deskbus.audit.store.retention import AuditRetention, Kept
from deskbus.audit.verify.verifier import KnownHead, Verifier, known_head_of, own_key
from deskbus_protocol.audit import AuditFilter
from deskbus_protocol.events import AuditPruned
from tests.unit.audit.forger import paths
from tests.unit.audit.rig import Rig

DAY_MS = 86_400_000
KEEP_DAYS = AuditRetention(max_age_ms=10 * DAY_MS, max_bytes=10**9)


def test_old_files_go_and_the_rule_is_told() -> None:
    files = [Kept(1, 10, 0), Kept(2, 10, 5 * DAY_MS), Kept(3, 10, 20 * DAY_MS)]
    assert KEEP_DAYS.expired(files, 16 * DAY_MS) == ([1, 2], "older than 10 days")
    assert KEEP_DAYS.expired(files, 9 * DAY_MS) == ([], "")


def test_files_beyond_the_size_go_oldest_first() -> None:
    keep = AuditRetention(max_age_ms=10**15, max_bytes=25)
    files = [Kept(number, 10, 0) for number in range(1, 5)]
    assert keep.expired(files, 0) == ([1, 2], "more than 25 bytes")


def test_a_young_file_in_front_keeps_what_is_behind_it() -> None:
    files = [Kept(1, 10, 20 * DAY_MS), Kept(2, 10, 0)]
    assert KEEP_DAYS.expired(files, 21 * DAY_MS) == ([], "")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path / "audit")
    for _ in range(4):
        rig.run(300, 7)
    return rig


def prune(rig: Rig, max_bytes: int, *, recorded: bool = True) -> None:
    """As the backend does it: the record first, then the files."""
    chain_writer = rig.open().chain_writer
    keep = AuditRetention(max_age_ms=10**15, max_bytes=max_bytes)
    plan = plan_prune(rig.folder, keep, chain_writer.file, Now(rig.clock.now_ms(), 0, 0))
    assert plan is not None
    if recorded:
        through, files = plan.through, len(plan.files)
        rig.write(chain_writer, [AuditPruned(through=through, files=files, reason=plan.rule)])
    remove(rig.folder, plan.files)
    rig.end(chain_writer)


@pytest.mark.requirement("8.4")
def test_a_log_without_its_beginning_verifies_from_the_same_public_key(rig: Rig) -> None:
    key = own_key(rig.path)
    early = known_head_of(Verifier(rig.path, key).run().checkpoint, "a kept checkpoint")
    prune(rig, 150_000)
    assert paths(rig.path)[0].name > "audit-00000001.jsonl"
    rig.run(5)
    verdict = Verifier(rig.path, key, marks=[early]).run()
    assert verdict.verdict == "OK"
    assert verdict.first > 0
    assert verdict.size == 4 * 307 + 1 + 5
    assert [finding.kind for finding in verdict.findings] == ["pruned"]
    prune(rig, 100_000)
    assert Verifier(rig.path, key).run().verdict == "OK"


def test_files_that_go_without_a_record_are_missed(rig: Rig) -> None:
    prune(rig, 150_000, recorded=False)
    verdict = Verifier(rig.path, own_key(rig.path)).run()
    assert verdict.verdict == "TAMPERED"
    assert "no record says that retention removed them" in verdict.reason


def test_more_files_than_the_record_says_can_not_go(rig: Rig) -> None:
    prune(rig, 250_000)
    first = rig.folder.files()[0]
    remove(rig.folder, [first])
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "TAMPERED"


def test_the_heads_of_removed_files_can_not_be_changed(rig: Rig) -> None:
    prune(rig, 150_000)
    path = rig.path / PRUNED
    path.write_bytes(path.read_bytes().replace(b"batch 0", b"batch 1"))
    verdict = Verifier(rig.path, own_key(rig.path)).run()
    assert (verdict.verdict, verdict.reason) == (
        "TAMPERED",
        "the head that was kept of file 1 is not genuine",
    )


def test_a_removal_that_was_cut_short_can_be_done_again(rig: Rig) -> None:
    files = rig.folder.files()
    contents = files[0].path.read_bytes()
    prune(rig, 150_000)
    files[0].path.write_bytes(contents)
    gone = [file for file in files if not file.path.exists()]
    assert gone
    # The first file is back, those behind it are not: then it is the gap that tells.
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "TAMPERED"
    remove(rig.folder, [files[0]])
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "OK"


def test_a_checkpoint_from_the_removed_part_is_told_to_be_so(rig: Rig) -> None:
    mark = KnownHead("an early one", 3, bytes(32))
    prune(rig, 150_000)
    verdict = Verifier(rig.path, own_key(rig.path), marks=[mark]).run()
    assert verdict.verdict == "OK"
    assert any("an early one" in finding.text for finding in verdict.findings)


def test_the_index_forgets_what_was_removed_and_follows_what_was_compressed(rig: Rig) -> None:
    index = AuditIndex(rig.path)
    search = AuditSearch(rig.path, index)
    assert index.catch_up() == 4 * 307
    compress_closed(rig.folder, 4)
    prune(rig, 50_000)
    total = index.catch_up()
    first = Verifier(rig.path, own_key(rig.path)).run().first
    found = []
    cursor = None
    while True:
        page = search.find(AuditFilter(), order="oldest", limit=100, cursor=cursor)
        found += [record.seq for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == list(range(first, total))
    assert sum(count for _, count in index.counts()) == total - first
    index.close()


def test_compressing_changes_no_line(rig: Rig) -> None:
    before = [path.read_bytes() for path in paths(rig.path)]
    compress_closed(rig.folder, 5)
    after = [gzip.decompress(path.read_bytes()) for path in paths(rig.path)]
    assert before == after
    assert all(path.stat().st_mode & 0o777 == 0o400 for path in paths(rig.path))
    assert Verifier(rig.path, own_key(rig.path)).run().verdict == "OK"
