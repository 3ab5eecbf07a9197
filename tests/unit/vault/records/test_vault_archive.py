"""An export of the vault opens on another machine, under its password, whole or not at all."""

import re
import stat
import time
from io import BytesIO
from pathlib import Path

import pytest

from deskbus.vault.cipher import CHUNK_BYTES, SealError
from deskbus.vault.records import sealed_records
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.records.vault_archive import export_vault, import_vault
from tests.unit.vault.fakes import OTHER, TOKEN, FakeKeychain, password, vault_in

pytestmark = pytest.mark.usefixtures("quick_passwords")

NAMES = [Name("apps", "desk.feed", str(n)) for n in range(40)]


@pytest.fixture
def export(tmp_path: Path, quick_passwords: None) -> bytes:
    """Two records, one of them of several chunks."""
    here = vault_in(tmp_path / "here", FakeKeychain())
    here.put_all([(TOKEN, b"1"), (OTHER, b"2" * 300_000)])
    export_vault(here, tmp_path / "export", password())
    return (tmp_path / "export").read_bytes()


@pytest.mark.requirement("3.3")
def test_an_export_opens_on_another_machine_under_its_password(
    export: bytes, tmp_path: Path
) -> None:
    assert b"desk.feed" not in export
    assert stat.S_IMODE((tmp_path / "export").stat().st_mode) == 0o600
    there = vault_in(tmp_path / "there", FakeKeychain())
    there.put(TOKEN, b"older")
    with pytest.raises(SealError):
        import_vault(there, BytesIO(export), password("wrong"))
    assert there.get(TOKEN) == b"older"
    assert import_vault(there, BytesIO(export), password()) == 2
    assert (there.get(TOKEN), there.get(OTHER)) == (b"1", b"2" * 300_000)


@pytest.mark.slow
@pytest.mark.requirement("3.3")
def test_an_export_that_was_cut_or_changed_anywhere_brings_nothing_in(
    export: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_records, "PACK_BYTES", 1)
    there = vault_in(tmp_path / "there", FakeKeychain())
    there.put(TOKEN, b"older")
    for place in (*range(60, len(export), 40_000), len(export) - 1):
        changed = bytearray(export)
        changed[place] ^= 1
        for file in (bytes(changed), export[:place], export + b"\0"):
            with pytest.raises(SealError):
                import_vault(there, BytesIO(file), password())
    assert there.names() == [TOKEN]
    assert there.get(TOKEN) == b"older"
    there.close()
    assert there.get(TOKEN) == b"older"
    assert len(list((tmp_path / "there").glob("*.pack"))) == 1


@pytest.mark.requirement("3.3")
def test_an_import_goes_through_record_by_record_and_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_records, "PACK_BYTES", 10 * CHUNK_BYTES)
    here = vault_in(tmp_path / "here", FakeKeychain())
    here.put_all((name, bytes(CHUNK_BYTES)) for name in NAMES)
    export_vault(here, tmp_path / "export", password())
    there = vault_in(tmp_path / "there", FakeKeychain())
    seen: list[tuple[int, int, int]] = []
    with (tmp_path / "export").open("rb") as file:
        import_vault(
            there, file, password(), lambda *far: seen.append((far[0], far[1], file.tell()))
        )
    assert [(done, total) for done, total, _ in seen] == [(n, 40) for n in (10, 20, 30, 40, 40)]
    read_so_far = [place for _, _, place in seen[:3]]
    assert read_so_far == sorted(set(read_so_far)), "not all of it was read before"
    assert all(there.get(name) == bytes(CHUNK_BYTES) for name in NAMES)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    here = vault_in(tmp_path / "here", FakeKeychain())
    (tmp_path / "export").write_text("mine")
    with pytest.raises(FileExistsError):
        export_vault(here, tmp_path / "export", password())
    assert (tmp_path / "export").read_text() == "mine"


@pytest.mark.requirement("3.3")
def test_a_damaged_record_is_left_out_and_counted_and_all_others_move(tmp_path: Path) -> None:
    here = vault_in(tmp_path / "here", FakeKeychain())
    here.put(TOKEN, b"1")
    (pack,) = (tmp_path / "here").glob("*.pack")
    here.put(OTHER, b"2")
    pack.write_bytes(pack.read_bytes()[:-1])
    assert export_vault(here, tmp_path / "export", password()) == 1
    there = vault_in(tmp_path / "there", FakeKeychain())
    with (tmp_path / "export").open("rb") as file:
        assert import_vault(there, file, password()) == 1
    assert there.names() == [OTHER]


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def step(name: str) -> None:
        if name == "export: synced":
            raise OSError(28, "No space left on device")

    here = vault_in(tmp_path / "here", FakeKeychain())
    here.put(TOKEN, b"1")
    with pytest.raises(OSError, match="space"):
        export_vault(here, tmp_path / "export", password(), step=step)
    assert [file.name for file in tmp_path.iterdir()] == ["here"]


def test_an_export_goes_through_no_link(tmp_path: Path) -> None:
    here = vault_in(tmp_path / "here", FakeKeychain())
    (tmp_path / "export").symlink_to(tmp_path / "not there")
    with pytest.raises(FileExistsError):
        export_vault(here, tmp_path / "export", password())
    assert not (tmp_path / "not there").exists()


@pytest.mark.requirement("3.3")
def test_messages_that_were_sealed_here_open_where_the_vault_has_moved(tmp_path: Path) -> None:
    here = vault_in(tmp_path / "here", FakeKeychain())
    first = here.seal("messages", "0", b"first")
    here.rotate_keys()
    second = here.seal("messages", "1", b"second")
    export_vault(here, tmp_path / "export", password())
    keychain = FakeKeychain()
    there = vault_in(tmp_path / "there", keychain)
    own = there.seal("messages", "0", b"own")
    for _ in range(2):
        with (tmp_path / "export").open("rb") as file:
            import_vault(there, file, password())
    there.rotate_keys()
    there.close()
    there = vault_in(tmp_path / "there", keychain)
    assert there.unseal("messages", "0", first) == b"first"
    assert there.unseal("messages", "1", second) == b"second"
    assert there.unseal("messages", "0", own) == b"own"
    assert there.unseal("messages", "2", there.seal("messages", "2", b"new")) == b"new"


@pytest.mark.requirement("3.3")
def test_an_import_leaves_the_anchor_of_a_log_that_is_here_alone(tmp_path: Path) -> None:
    anchor = Name("audit", "", "anchor")
    here = vault_in(tmp_path / "here", FakeKeychain())
    here.put_all([(anchor, b"theirs"), (TOKEN, b"1")])
    export_vault(here, tmp_path / "export", password())
    there = vault_in(tmp_path / "there", FakeKeychain())
    there.put(anchor, b"ours")
    bare = vault_in(tmp_path / "bare", FakeKeychain())
    bare.unlock()
    for vault, expected in ((there, b"ours"), (bare, b"theirs")):
        with (tmp_path / "export").open("rb") as file:
            import_vault(vault, file, password())
        assert (vault.get(anchor), vault.get(TOKEN)) == (expected, b"1")


def test_an_empty_vault_can_be_exported(tmp_path: Path) -> None:
    here = vault_in(tmp_path / "here", FakeKeychain())
    here.unlock()
    export_vault(here, tmp_path / "export", password())
    with (tmp_path / "export").open("rb") as file:
        assert import_vault(here, file, password()) == 0


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("value", [1, 2**31])
@pytest.mark.parametrize("field", ["passes", "memory_kib", "lanes"])
def test_an_export_with_edited_parameters_is_refused_at_once(
    export: bytes, tmp_path: Path, field: str, value: int
) -> None:
    start = export.index(b"{")
    head_bytes = int.from_bytes(export[start - 4 : start])
    head, rest = export[start : start + head_bytes], export[start + head_bytes :]
    changed = re.sub(b'"%b":[0-9]+' % field.encode(), b'"%b":%d' % (field.encode(), value), head)
    assert changed != head
    file = export[: start - 4] + len(changed).to_bytes(4) + changed + rest
    there = vault_in(tmp_path / "there", FakeKeychain())
    started = time.process_time()
    with pytest.raises(SealError):
        import_vault(there, BytesIO(file), password())
    assert time.process_time() - started < 0.5
