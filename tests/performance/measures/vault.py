"""The vault's speed: sealing and opening, unlocking, and the rotation of many records."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from deskbus.vault.cipher import Context, new_key, new_key_id, open_sealed, seal
from deskbus.vault.keys.keychain import AbsentEntry, FoundEntry
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.vault import Vault
from tests.performance.servers.load import Figures

RECORDS = 10_000
RECORD_BYTES = 256
KIB = 1024
SPAN_S = 0.3
_CONTEXT = Context("apps", "bench.app", "token", 1)


class _MemoryKeychain:
    """The vault's own share of the time is measured, not a keychain's."""

    name = "secret-service"

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    def read(self, entry: str) -> FoundEntry | AbsentEntry:
        value = self._entries.get(entry)
        return AbsentEntry() if value is None else FoundEntry(value)

    def write(self, entry: str, value: str) -> None:
        self._entries[entry] = value

    def delete(self, entry: str) -> None:
        self._entries.pop(entry, None)

    def would_ask(self) -> bool:
        return False


def seal_and_open() -> Figures:
    """Microseconds a call, by what is done to how much."""
    key_id, key = new_key_id(), new_key()
    figures: Figures = {}
    for words, size in (("1_kib", KIB), ("1_mib", KIB * KIB)):
        plain = bytes(size)
        sealed = seal(key_id, key, _CONTEXT, plain)
        figures[f"seal_{words}_us"] = _us(lambda plain=plain: seal(key_id, key, _CONTEXT, plain))  # type: ignore[misc]
        figures[f"open_{words}_us"] = _us(
            lambda sealed=sealed: open_sealed(key, _CONTEXT, sealed)  # type: ignore[misc]
        )
    return figures


def unlock() -> Figures:
    """Milliseconds under a master password (Argon2id) and with a key that is at hand."""
    password = b"a master password"
    with tempfile.TemporaryDirectory() as folder:
        keychain = _MemoryKeychain()
        vault = Vault(Path(folder) / "vault", find=lambda _: keychain)
        vault.put_all(_records())
        vault.close()
        with_key = _ms(vault.unlock)
        vault.use_password(bytearray(password))
        vault.close()
        with_password = _ms(lambda: vault.unlock(bytearray(password)))
        vault.close()
    return {"unlock_key_ms": with_key, "unlock_password_ms": with_password}


def rotation() -> Figures:
    """Milliseconds to change every key and seal 10,000 records anew, on this disk."""
    with tempfile.TemporaryDirectory() as folder:
        keychain = _MemoryKeychain()
        vault = Vault(Path(folder) / "vault", find=lambda _: keychain)
        vault.put_all(_records())
        kek_ms = _ms(vault.rotate_kek)
        keys_ms = _ms(vault.rotate_keys)
        vault.close()
    return {"rotate_kek_ms": kek_ms, "rotate_keys_ms": keys_ms}


def _records() -> list[tuple[Name, bytes]]:
    value = bytes(RECORD_BYTES)
    return [(Name("apps", "bench.app", str(n)), value) for n in range(RECORDS)]


def _ms(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def _us(action: Callable[[], object]) -> float:
    """The median of spans of many calls each."""
    spans: list[float] = []
    calls = 1
    until = time.perf_counter() + SPAN_S
    while time.perf_counter() < until or len(spans) < 5:
        started = time.perf_counter()
        for _ in range(calls):
            action()
        took = time.perf_counter() - started
        if took < SPAN_S / 50:
            calls *= 2
        else:
            spans.append(took / calls)
    return median(spans) * 1e6
