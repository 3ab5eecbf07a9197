"""Files of any content are refused with the one error, before anything costly is done."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskbus.vault.cipher import SealError
from deskbus.vault.keys.keyset import read_head
from deskbus.vault.records.vault_archive import import_vault
from tests.unit.vault.fakes import FakeKeychain, vault_in

KEYSET_START = b"deskbus keyset 1\n"
EXPORT_START = b"deskbus vault export 1\n"
DEEP = b"[" * 60_000
SEALED = b"DVLT\x01\x01" + bytes(120)


def file_of(start: bytes, head: bytes) -> bytes:
    return start + len(head).to_bytes(4) + head + SEALED


@pytest.mark.requirement("3.3")
@given(st.binary(max_size=200))
def test_a_keyset_of_any_bytes(data: bytes) -> None:
    for file in (data, KEYSET_START + data, file_of(KEYSET_START, data)):
        with pytest.raises(SealError):
            read_head(file)


@pytest.mark.requirement("3.3")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_an_export_of_any_bytes(tmp_path: Path, data: bytes) -> None:
    vault = vault_in(tmp_path / "vault", FakeKeychain())
    for file in (data, EXPORT_START + data, file_of(EXPORT_START, data)):
        with pytest.raises(SealError):
            import_vault(vault, BytesIO(file), bytearray(b"password"))


def test_a_head_of_great_depth(tmp_path: Path) -> None:
    with pytest.raises(SealError):
        read_head(file_of(KEYSET_START, DEEP))
    vault = vault_in(tmp_path / "vault", FakeKeychain())
    with pytest.raises(SealError):
        import_vault(vault, BytesIO(file_of(EXPORT_START, DEEP)), bytearray(b"password"))
