"""A running log whose files somebody changes behind it: it lives on, and does not lie."""

import errno
from pathlib import Path

import anyio
import pytest

from deskbus.audit import logger as logger_module
from deskbus.audit.logger import AuditLogger
from deskbus.audit.reader import AuditReader
from deskbus.audit.store.anchor import decode_anchor
from deskbus.audit.store.audit_folder import GENESIS, KEYS, AuditFolder, list_files
from deskbus.audit.store.retention import AuditRetention
from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus_protocol.audit import AuditQueryParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, DEGRADED, DeskbusError
from deskbus_protocol.events import AppLimited, TicketUsed, Violation
from tests.unit.audit.rig import Rig
from tests.unit.audit.test_logger import Safe, lines_in, logger_in, until

WHO = ClientId("shell", "main")


async def fill(logger: AuditLogger, count: int = 5) -> None:
    for number in range(count):
        await logger.commit(Violation(kind="acl", target=f"t{number}"))


@pytest.mark.requirement("8.4")
async def test_a_live_log_that_was_cut_back_is_told(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        await fill(logger)
        await until(lambda: logger.size == 5)
        path = list_files(tmp_path)[-1].path
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
        verdict = await AuditReader(logger).verify([], lambda *_: None, WHO)
    assert verdict.verdict == "TAMPERED"
    assert "this run saw 5 records" in verdict.reason


async def test_another_log_in_place_of_a_live_one_is_told(tmp_path: Path) -> None:
    other = Rig(tmp_path / "other")
    other.run(2)
    folder = tmp_path / "audit"
    logger = logger_in(folder)
    async with logger.running():
        await fill(logger)
        await until(lambda: logger.size == 5)
        for name in (GENESIS, list_files(folder)[-1].path.name):
            (folder / name).unlink()
        for file in (other.path / GENESIS, *(f.path for f in list_files(other.path))):
            (folder / file.name).write_bytes(file.read_bytes())
        verdict = await AuditReader(logger).verify([], lambda *_: None, WHO)
    assert verdict.verdict == "TAMPERED"


async def test_a_query_does_not_pass_over_files_that_are_gone(tmp_path: Path) -> None:
    logger = logger_in(tmp_path, file_bytes=500)
    async with logger.running():
        await fill(logger)
        reader = AuditReader(logger)
        assert len((await reader.query(AuditQueryParams())).records) == 5
        list_files(tmp_path)[-1].path.unlink()
        with pytest.raises(DeskbusError) as refused:
            await reader.query(AuditQueryParams())
        assert refused.value.kind is DEGRADED
        assert "Verify the log" in str(refused.value.action)
        reader.close()


async def test_what_a_query_finds_after_a_verification_comes_from_the_files(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        await fill(logger)
        reader = AuditReader(logger)
        wanted = AuditQueryParams(types=["violation"])
        assert len((await reader.query(wanted)).records) == 5
        base = reader._index._open()
        base.execute("DELETE FROM postings WHERE seq=2")
        base.execute("UPDATE facets SET count=count-1 WHERE count=5")
        assert len((await reader.query(wanted)).records) == 4
        assert (await reader.verify([], lambda *_: None, WHO)).verdict == "UNANCHORED"
        assert len((await reader.query(wanted)).records) == 5
        reader.close()


@pytest.mark.parametrize("content", [b"\xff\n", b"another+00000000+key\n"])
async def test_a_key_that_was_put_beside_the_log_meanwhile_is_not_anchored(
    tmp_path: Path, content: bytes
) -> None:
    safe = Safe()
    safe.content = b"{}"
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        await fill(logger)
        key = own_key(tmp_path)
        (tmp_path / GENESIS).chmod(0o600)
        (tmp_path / GENESIS).write_bytes(content)
    anchor = decode_anchor(safe.content)
    assert anchor is not None
    assert (anchor.key, anchor.size) == (key, 5)


async def test_a_damaged_file_does_not_end_the_backend_when_retention_meets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger_module, "TIDY_EVERY_S", 0.01)
    rig = Rig(tmp_path)
    for _ in range(3):
        rig.run(4)
    path = list_files(tmp_path)[1].path
    path.chmod(0o600)
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    logger = logger_in(tmp_path, retention=AuditRetention(max_age_ms=1, max_bytes=1))
    async with logger.running():
        await until(lambda: "is damaged" in (logger.health().detail or ""))
        await logger.commit(TicketUsed(app="goes-on"))
    assert path.exists()


async def test_evidence_of_tampering_is_not_pruned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger_module, "TIDY_EVERY_S", 0.01)
    rig = Rig(tmp_path)
    for _ in range(3):
        rig.run(4)
    path = list_files(tmp_path)[0].path
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"com.example", b"com.exemple", 1))
    logger = logger_in(tmp_path, retention=AuditRetention(max_age_ms=10**15, max_bytes=1))
    async with logger.running():
        await until(lambda: "retention removes nothing" in (logger.health().detail or ""))
        assert logger.health().status == "degraded"
    assert list_files(tmp_path)[0].number == 1
    assert Verifier(tmp_path, own_key(tmp_path)).run().verdict == "TAMPERED"


async def test_retention_goes_on_after_it_has_removed_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger_module, "TIDY_EVERY_S", 0.01)
    keep = AuditRetention(max_age_ms=10**15, max_bytes=4000)
    logger = logger_in(tmp_path, file_bytes=2000, retention=keep)
    async with logger.running():
        with anyio.fail_after(15):
            while lines_in(tmp_path).count(b'"type":"audit.pruned"') < 1 or (
                list_files(tmp_path)[0].number < 12
            ):
                await logger.commit(Violation(kind="acl", target="one more"))
    verdict = Verifier(tmp_path, own_key(tmp_path)).run()
    assert verdict.verdict == "OK"


@pytest.mark.requirement("8.1")
async def test_an_event_that_can_not_be_written_hangs_nobody_and_is_counted(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        await fill(logger)
        with anyio.fail_after(10):
            with pytest.raises(DeskbusError) as refused:
                await logger.commit(TicketUsed(app=object()))  # type: ignore[arg-type]
            assert refused.value.kind is AUDIT_UNAVAILABLE
            logger.note(AppLimited(limit="memory", measured=object()))  # type: ignore[arg-type]
            await until(lambda: b'"type":"audit.dropped"' in lines_in(tmp_path), 8)
            await logger.commit(TicketUsed(app="goes-on"))
    assert b"goes-on" in lines_in(tmp_path)
    assert Verifier(tmp_path, own_key(tmp_path)).run().verdict == "OK"


async def test_a_disk_that_is_full_while_a_log_is_set_aside_sets_it_aside_once_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    rig.run(3)
    (tmp_path / KEYS).unlink()
    replace = AuditFolder.replace
    tries = 0

    def full(self: AuditFolder, name: str, content: bytes, *, mode: int = 0o600) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(self, name, content, mode=mode)

    monkeypatch.setattr(AuditFolder, "replace", full)
    monkeypatch.setattr("deskbus.audit.write.group_commit_writer.RETRY_S", 0.01)
    logger = logger_in(tmp_path)
    async with logger.running():
        await until(lambda: b'"type":"audit.set_aside"' in lines_in(tmp_path))
        assert "its keys are gone" in (logger.health().detail or "")
    aside = list(tmp_path.glob("set-aside-*"))
    assert len(aside) == 1
    assert list_files(aside[0])[0].number == 1
    assert aside[0].name.encode() in lines_in(tmp_path)
