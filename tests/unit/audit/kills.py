"""Kills a writing process again and again, and looks at what it left."""

import random
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from deskbus.audit.store.audit_folder import LineReader, list_files
from deskbus.audit.verify.verifier import KnownHead, Verifier, known_head_of, own_key
from deskbus_protocol.audit import VerdictWord

_COMMITTED = re.compile(rb'"target":"committed-(\d+)"')


class Round(NamedTuple):
    """The remains of one life: how much it said was on disk, and what the verifier says."""

    committed: int
    found: int
    verdict: VerdictWord
    reason: str
    set_aside: bool


class Killer:
    """Each `round` is a life of the writer, which goes on where the one before was killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._next = 0
        self._marks: list[KnownHead] = []

    def round(self) -> Round:
        command = [sys.executable, "-m", "tests.unit.audit.writer_process"]
        process = subprocess.Popen(
            [*command, str(self._folder), str(self._next)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout is not None
        lives = self._chance.randrange(0, 60)
        last = self._next - 1
        for line in process.stdout:
            last = int(line)
            lives -= 1
            if lives < 0:
                break
        process.kill()
        for line in process.stdout:
            # It was told before the kill, so it was on the disk before.
            if line.endswith(b"\n"):
                last = int(line)
        process.wait()
        process.stdout.close()
        return self._look(last)

    def _look(self, last: int) -> Round:
        key = own_key(self._folder)
        verdict = Verifier(self._folder, key, marks=self._marks).run()
        found = self._committed()
        assert found == sorted(set(found)), "a record is there twice, or out of order"
        self._next = max(last, *found, self._next - 1) + 1 if found else last + 1
        if verdict.checkpoint:
            # A signed record must be there for good.
            self._marks = [known_head_of(verdict.checkpoint, "the round before")]
        set_aside = any(self._folder.glob("set-aside-*"))
        missing = [number for number in range(last + 1) if number not in set(found)]
        return Round(last + 1, last + 1 - len(missing), verdict.verdict, verdict.reason, set_aside)

    def _committed(self) -> list[int]:
        return [
            int(match[1])
            for file in list_files(self._folder)
            for block in LineReader(file)
            for line in block.lines
            if (match := _COMMITTED.search(line))
        ]
