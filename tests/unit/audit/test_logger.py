"""AuditLogger: what is told is on disk in time, a full disk refuses, and the anchor follows."""

import errno
import shutil
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus.audit import logger as logger_module
from deskbus.audit.logger import AuditLogger, AuditSettings
from deskbus.audit.query.index import AuditIndex
from deskbus.audit.reader import AuditReader
from deskbus.audit.store.anchor import decode_anchor
from deskbus.audit.store.audit_folder import (
    ANCHOR,
    KEYS,
    AuditFolder,
    LineReader,
    list_files,
)
from deskbus.audit.store.key_file import KeyFile, KeyFileError, is_sealed
from deskbus.audit.store.retention import AuditRetention
from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.storage.folder_lock import FolderBusyError
from deskbus_protocol.audit import AuditAppendedParams, AuditFilter
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, UNAVAILABLE, DeskbusError
from deskbus_protocol.events import TicketUsed, Violation


class Safe:
    """A vault, which can be locked, or absent."""

    def __init__(self, *, kept: bool = True) -> None:
        self.content: bytes | None = None
        self.kept = kept
        self.locked = False

    @property
    def exists(self) -> bool:
        return self.content is not None

    async def load(self) -> bytes | None:
        if self.locked:
            raise DeskbusError(UNAVAILABLE, "The vault is locked.")
        return self.content

    async def save(self, content: bytes) -> bool:
        if self.locked:
            raise DeskbusError(UNAVAILABLE, "The vault is locked.")
        if self.kept:
            self.content = content
        return self.kept


def logger_in(folder: Path, safe: Safe | None = None, **settings: Any) -> AuditLogger:
    safe = safe or Safe(kept=False)
    return AuditLogger(
        folder,
        safe,
        boot="run",
        settings=AuditSettings(**settings),
        has_keychain=lambda: safe.kept,
    )


def lines_in(folder: Path) -> bytes:
    """Of all files, also of one that is being compressed at this moment."""
    while True:
        try:
            blocks = [block for file in list_files(folder) for block in LineReader(file)]
        except FileNotFoundError:
            continue
        return b"\n".join(line for block in blocks for line in block.lines)


async def until(check: Any, within_s: float = 5) -> None:
    with anyio.fail_after(within_s):
        while not check():
            await anyio.lowlevel.checkpoint()


@pytest.mark.requirement("8.1")
async def test_a_commit_returns_when_its_record_is_on_disk(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        for number in range(20):
            await logger.commit(Violation(kind="acl", target=f"t{number}"))
            assert b'"target":"t%d"' % number in lines_in(tmp_path)
    assert Verifier(tmp_path, own_key(tmp_path)).run().verdict == "OK"


async def test_a_note_is_on_disk_within_a_second_and_waits_for_nothing(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        logger.note(TicketUsed(app="before-it-is-open"))
        await logger.opened.wait()
        logger.note(TicketUsed(app="after"))
        await until(lambda: b"after" in lines_in(tmp_path), within_s=1)
        assert b"before-it-is-open" in lines_in(tmp_path)


async def test_everything_that_was_told_is_there_at_the_end(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        for _ in range(5000):
            logger.note(TicketUsed(app="a"))
    verdict = Verifier(tmp_path, own_key(tmp_path)).run()
    assert (verdict.verdict, verdict.records) == ("OK", 5000)


async def test_two_loggers_can_not_write_one_log(tmp_path: Path) -> None:
    async with logger_in(tmp_path).running():
        with pytest.raises(FolderBusyError):
            async with logger_in(tmp_path).running():
                pass


async def test_after_its_end_a_commit_is_refused_at_once(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        await logger.commit(TicketUsed(app="a"))
    with pytest.raises(DeskbusError) as refused, anyio.fail_after(20):
        await logger.commit(TicketUsed(app="b"))
    assert refused.value.kind is AUDIT_UNAVAILABLE


@pytest.mark.requirement("8.4")
async def test_a_full_disk_refuses_what_must_be_recorded_and_recovers_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = AuditFolder.write
    full = False

    def write_or_not(self: AuditFolder, descriptor: int, content: bytes) -> None:
        if full:
            write(self, descriptor, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, descriptor, content)

    monkeypatch.setattr(AuditFolder, "write", write_or_not)
    monkeypatch.setattr(logger_module, "ANCHOR_EVERY_S", 0.05)
    logger = logger_in(tmp_path)
    async with logger.running():
        await logger.commit(Violation(kind="acl", target="first"))
        full = True
        with pytest.raises(DeskbusError) as refused:
            await logger.commit(Violation(kind="acl", target="refused"))
        assert refused.value.kind is AUDIT_UNAVAILABLE
        assert refused.value.kind.category == "unavailable"
        logger.note(TicketUsed(app="noted-meanwhile"))
        await until(lambda: "can't be written" in (logger.health().detail or ""))
        assert logger.health().status == "degraded"
        full = False
        await until(lambda: logger.health().status == "ok")
        await logger.commit(Violation(kind="acl", target="last"))
    content = lines_in(tmp_path)
    assert b'"target":"refused"' not in content
    assert content.count(b"noted-meanwhile") == 1
    assert content.count(b'"target":"first"') == content.count(b'"target":"last"') == 1
    assert Verifier(tmp_path, own_key(tmp_path)).run().verdict == "OK"


async def test_what_can_not_be_kept_while_the_disk_fails_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskbus.audit.write.group_commit_writer.MAX_WAITING", 10)
    logger = logger_in(tmp_path)
    for number in range(25):
        logger.note(TicketUsed(app=f"app{number}"))
    async with logger.running():
        await logger.commit(TicketUsed(app="last"))
    content = lines_in(tmp_path)
    assert b'"type":"audit.dropped"' in content
    assert b'"count":15' in content
    assert b"app9" in content


@pytest.mark.requirement("8.4")
async def test_the_newest_head_is_anchored_in_the_vault_at_the_end(tmp_path: Path) -> None:
    safe = Safe()
    safe.content = b"{}"
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        for _ in range(3):
            await logger.commit(TicketUsed(app="a"))
    anchor = decode_anchor(safe.content)
    assert anchor is not None
    verdict = Verifier(tmp_path, own_key(tmp_path)).run()
    assert (anchor.key, anchor.size) == (own_key(tmp_path), 3)
    assert verdict.size == 3
    assert not (tmp_path / ANCHOR).exists()
    assert logger.health().detail == "3 records, keys in the keychain"
    # The keys can't be had without it.
    with pytest.raises(KeyFileError):
        KeyFile(tmp_path / KEYS, None).load()
    assert KeyFile(tmp_path / KEYS, anchor.wrap).load() is not None


async def test_keys_move_into_a_vault_that_comes_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger_module, "ANCHOR_EVERY_S", 0.01)
    safe = Safe()
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        await logger.commit(TicketUsed(app="a"))
        await until(lambda: safe.content is not None and logger.anchor_keeper.sealed)
        await logger.commit(TicketUsed(app="b"))
    with pytest.raises(KeyFileError):
        KeyFile(tmp_path / KEYS, None).load()


async def test_without_a_keychain_keys_and_anchor_are_files_and_health_says_so(
    tmp_path: Path,
) -> None:
    logger = logger_in(tmp_path)
    async with logger.running():
        await logger.commit(TicketUsed(app="a"))
        assert logger.health().detail == "1 record, keys in a file"
    anchor = decode_anchor((tmp_path / ANCHOR).read_bytes())
    assert anchor is not None
    assert anchor.size == 1
    assert (tmp_path / ANCHOR).stat().st_mode & 0o777 == 0o600


async def test_keys_in_a_locked_vault_are_waited_for_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    safe = Safe()
    safe.content = b"{}"
    async with logger_in(tmp_path, safe).running() as _:
        pass
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        await logger.commit(TicketUsed(app="a"))
    monkeypatch.setattr(logger_module, "OPEN_WITHIN_S", 0.05)
    safe.locked = True
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        logger.note(TicketUsed(app="noted-while-locked"))
        with pytest.raises(DeskbusError) as refused:
            await logger.commit(TicketUsed(app="refused"))
        assert refused.value.kind is AUDIT_UNAVAILABLE
        assert logger.health().status == "degraded"
        safe.locked = False
        logger.vault_changed()
        await logger.opened.wait()
        await logger.commit(TicketUsed(app="b"))
    assert b"noted-while-locked" in lines_in(tmp_path)
    assert Verifier(tmp_path, own_key(tmp_path)).run().verdict == "OK"


async def seal(folder: Path, safe: Safe) -> None:
    """A run whose keys are in the vault when it ends."""
    safe.content = safe.content or b"{}"
    logger = logger_in(folder, safe)
    async with logger.running():
        await logger.commit(TicketUsed(app="sealed"))
    assert is_sealed(folder / KEYS)


@pytest.mark.requirement("8.4")
async def test_sealed_keys_whose_vault_is_gone_are_told_and_every_commit_is_refused_at_once(
    tmp_path: Path,
) -> None:
    await seal(tmp_path, Safe())
    logger = logger_in(tmp_path, Safe(kept=False))
    async with logger.running():
        with anyio.fail_after(20):
            with pytest.raises(DeskbusError, match="vault is gone") as refused:
                await logger.commit(TicketUsed(app="refused"))
        assert refused.value.kind is AUDIT_UNAVAILABLE
        assert "vault" in refused.value.action
        assert logger.health().status == "degraded"
        assert "vault is gone" in str(logger.health().detail)


@pytest.mark.requirement("8.4")
async def test_a_keychain_that_does_not_answer_is_told_in_health_and_waited_for_with_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Safe):
        async def load(self) -> bytes | None:
            await anyio.sleep_forever()
            raise AssertionError

    safe = Silent()
    safe.content = b"{}"
    monkeypatch.setattr(logger_module, "OPEN_WITHIN_S", 0.01)
    monkeypatch.setattr(logger_module, "LATE_S", 0.0)
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        with pytest.raises(DeskbusError, match="keychain has not answered"):
            await logger.commit(TicketUsed(app="refused"))
        assert logger.health().status == "degraded"
        assert "keychain has not answered" in str(logger.health().detail)


@pytest.mark.requirement("8.4")
async def test_a_disk_that_hangs_is_told_in_health_and_waited_for_with_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger_module, "COMMIT_WITHIN_S", 0.01)
    monkeypatch.setattr(logger_module, "LATE_S", 0.0)
    hangs, goes_on = threading.Event(), threading.Event()
    written = AuditFolder.write

    def hang(folder: AuditFolder, descriptor: int, content: bytes) -> None:
        if hangs.is_set():
            goes_on.wait(10)
        written(folder, descriptor, content)

    monkeypatch.setattr(AuditFolder, "write", hang)
    logger = logger_in(tmp_path)
    async with logger.running():
        await logger.opened.wait()
        await until(lambda: logger.size == 0 and logger.checkpoint)
        hangs.set()
        try:
            with pytest.raises(DeskbusError, match="has taken nothing"):
                await logger.commit(TicketUsed(app="refused"))
            assert logger.health().status == "degraded"
        finally:
            goes_on.set()
        await until(lambda: logger.health().status == "ok")


@pytest.mark.requirement("8.4")
async def test_a_damaged_key_file_without_a_vault_is_set_aside_rather_than_waited_for(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "audit"
    logger = logger_in(folder)
    async with logger.running():
        await logger.commit(TicketUsed(app="a"))
    (folder / KEYS).write_bytes(b"damaged")
    logger = logger_in(folder)
    async with logger.running():
        with anyio.fail_after(20):
            await logger.commit(TicketUsed(app="b"))
        assert "set aside" in str(logger.health().detail)


@pytest.mark.requirement("8.4")
async def test_the_file_s_anchor_goes_when_the_vault_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger_module, "ANCHOR_EVERY_S", 0.01)
    logger = logger_in(tmp_path)
    async with logger.running():
        await logger.commit(TicketUsed(app="a"))
    assert (tmp_path / ANCHOR).exists()
    safe = Safe()
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        await until(lambda: logger.anchor_keeper.sealed)
        await logger.commit(TicketUsed(app="b"))
    assert not (tmp_path / ANCHOR).exists()
    anchor = decode_anchor(safe.content)
    assert anchor is not None
    assert anchor.size == 2


@pytest.mark.requirement("8.4")
async def test_what_a_locked_vault_knew_of_a_log_that_was_taken_away_is_told_when_it_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger_module, "ANCHOR_EVERY_S", 0.01)
    safe = Safe()
    await seal(tmp_path / "audit", safe)
    safe.locked = True
    shutil.rmtree(tmp_path / "audit")
    logger = logger_in(tmp_path / "audit", safe)
    async with logger.running():
        await logger.commit(TicketUsed(app="b"))
        safe.locked = False
        logger.vault_changed()
        await until(lambda: "not the log that the keychain knew" in str(logger.health().detail))
    assert b'"verdict":"TAMPERED"' in lines_in(tmp_path / "audit")


@pytest.mark.requirement("8.4")
@pytest.mark.parametrize(
    ("kept", "sealed", "word"),
    [(True, True, "OK"), (False, False, "UNANCHORED"), (True, False, "UNANCHORED")],
)
async def test_a_verdict_is_ok_only_where_the_vault_vouches_for_the_end(
    tmp_path: Path, kept: bool, sealed: bool, word: str
) -> None:
    safe = Safe(kept=kept)
    if sealed:
        await seal(tmp_path, safe)
    elif kept:
        safe.content, safe.locked = b"{}", True
    logger = logger_in(tmp_path, safe)
    async with logger.running():
        reader = AuditReader(logger)
        await logger.commit(TicketUsed(app="a"))
        verdict = await reader.verify([], lambda *_: None, ClientId("shell", "test"))
        reader.close()
    assert verdict.verdict == word
    assert bool(verdict.action) == (word == "UNANCHORED")


@pytest.mark.requirement("8.4")
async def test_what_needs_the_logs_end_waits_at_the_start_until_it_is_open(tmp_path: Path) -> None:
    async with logger_in(tmp_path).running() as _:
        pass
    who = ClientId("shell", "test")
    logger = logger_in(tmp_path)
    async with logger.running():
        assert not logger.opened.is_set()
        reader = AuditReader(logger)
        verdict = await reader.verify([], lambda *_: None, who)
        reader.close()
    assert (verdict.verdict, verdict.findings) == ("UNANCHORED", [])
    logger = logger_in(tmp_path)
    async with logger.running():
        assert not logger.opened.is_set()
        head = await AuditReader(logger).head()
    assert head.key == own_key(tmp_path)


@pytest.mark.requirement("8.4")
async def test_a_log_that_was_rolled_back_is_set_aside_and_told(tmp_path: Path) -> None:
    safe = Safe()
    safe.content = b"{}"
    folder = tmp_path / "audit"
    async with logger_in(folder, safe).running():
        pass
    logger = logger_in(folder, safe)
    async with logger.running():
        await logger.commit(TicketUsed(app="a"))
    for file in list_files(folder)[-1:]:
        file.path.chmod(0o600)
        file.path.write_bytes(file.path.read_bytes().splitlines()[0] + b"\n")
    logger = logger_in(folder, safe)
    async with logger.running():
        await logger.commit(TicketUsed(app="b"))
        assert logger.health().status == "degraded"
        assert "set aside" in (logger.health().detail or "")
    assert b'"type":"audit.set_aside"' in lines_in(folder)
    assert len(list(folder.glob("set-aside-*"))) == 1


async def test_old_files_are_compressed_and_removed_while_it_runs(tmp_path: Path) -> None:
    logger = logger_in(
        tmp_path, file_bytes=2000, retention=AuditRetention(max_age_ms=10**15, max_bytes=3000)
    )
    async with logger.running():
        with anyio.fail_after(10):
            while b'"type":"audit.pruned"' not in lines_in(tmp_path):
                await logger.commit(Violation(kind="acl", target="one more"))
        await until(lambda: list_files(tmp_path)[0].number > 1)
        await until(lambda: any(file.compressed for file in list_files(tmp_path)))
    verdict = Verifier(tmp_path, own_key(tmp_path)).run()
    assert (verdict.verdict, verdict.first > 0) == ("OK", True)


async def test_a_tail_gets_new_records_that_fit(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    told: list[AuditAppendedParams] = []
    async with logger.running():
        await logger.commit(TicketUsed(app="before"))
        logger.tails.add("me", AuditFilter(types=["violation"]), told.append)
        logger.note(TicketUsed(app="other"))
        await logger.commit(Violation(kind="acl", app="mine"))
        await until(lambda: told)
        logger.tails.remove("me")
        await logger.commit(Violation(kind="acl", app="after"))
    assert [record.app for params in told for record in params.records] == ["mine"]


async def test_a_flood_on_a_tail_is_cut_and_counted(tmp_path: Path) -> None:
    logger = logger_in(tmp_path)
    told: list[AuditAppendedParams] = []
    logger.tails.add("me", AuditFilter(), told.append)
    for number in range(1000):
        logger.note(TicketUsed(app=f"a{number}"))
    async with logger.running():
        await logger.commit(TicketUsed(app="last"))
        await until(lambda: sum(len(p.records) + p.skipped for p in told) == 1001)
    assert all(len(params.records) <= 200 for params in told)
    assert told[-1].records[-1].app == "last"
    index = AuditIndex(tmp_path)
    assert index.catch_up() == 1001
    index.close()
