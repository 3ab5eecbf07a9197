"""The log of sensitive topics, killed at every step: what it promised opens, nothing is plain."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from deskbus.components.messaging.sensitive_topics import SensitiveTopics
from deskbus.persistence.log.file_operations import Files
from deskbus.persistence.log.message_log import MessageLog
from deskbus.vault.records.vault_folder import Step, no_step
from deskbus.vault.vault import Vault
from tests.unit.persistence.rig import message, read, seqs, write
from tests.unit.persistence.rig import opened as opened_log
from tests.unit.vault.killing import killed_at
from tests.unit.vault.killing import opened as opened_vault

pytestmark = [
    pytest.mark.requirement("3.3"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

ROUNDS = 100
CANARY = b'"canary-in-a-sealed-log"'
TOPIC = "orders.own"


class SteppingFiles(Files):
    """Every operation on the log's files is a step, before it and after."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def create(self, path: Path) -> int:
        self._step("create")
        descriptor = super().create(path)
        self._step("created")
        return descriptor

    def write_at(self, descriptor: int, offset: int, data: bytearray) -> None:
        self._step("write")
        half = len(data) // 2
        super().write_at(descriptor, offset, data[:half])
        self._step("half written")
        super().write_at(descriptor, offset + half, data[half:])
        self._step("written")

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self._step("synced")


def opened(folder: Path, step: Step = no_step) -> tuple[MessageLog, Vault]:
    vault = opened_vault(folder, step)
    sealer = SensitiveTopics(vault, ["orders.#"])
    return opened_log(folder / "log", files=SteppingFiles(step), sealer=sealer), vault


def publish(folder: Path, step: Step) -> None:
    """Three durable batches, with new keys after each; tells what is promised in a file."""
    log, vault = opened(folder, step)
    promised = os.open(folder / "promised", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(3):
        seq = log.last_seqs().get(TOPIC, 0) + 1
        write(log, [message(TOPIC, seq, payload=CANARY)], sync=True)
        os.write(promised, f"{seq}\n".encode())
        vault.rotate_keys()
        vault.rotate_kek()


def check(folder: Path) -> list[int]:
    """The lines in the log, all of which open; it holds what was promised, in order."""
    log, vault = opened(folder)
    found = seqs(read(log))
    assert found == list(range(1, len(found) + 1))
    promised = folder / "promised"
    assert len(found) >= len(promised.read_bytes().splitlines() if promised.exists() else [])
    assert log.verify() == []
    log.close()
    vault.close()
    for file in folder.rglob("*"):
        assert not file.is_file() or CANARY not in file.read_bytes()
    return found


@pytest.mark.slow
def test_a_log_of_its_own_for_every_step(tmp_path: Path) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        killed = killed_at(at, partial(publish, folder))
        found = check(folder)
        if not killed:
            assert found == [1, 2, 3]
            break
        at += 1
    assert at >= 40, "there are steps to be killed at"


@pytest.mark.slow
def test_one_sealed_log_lives_through_a_hundred_kills(tmp_path: Path) -> None:
    at = kills = 0
    while kills < ROUNDS:
        killed = killed_at(at, partial(publish, tmp_path))
        kills += killed
        check(tmp_path)
        at = at + 1 if killed else 0
    assert len(check(tmp_path)) >= ROUNDS // 2
