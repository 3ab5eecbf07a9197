"""A log in a folder of the test's own, with a clock that the test moves."""

from collections.abc import Sequence
from pathlib import Path

from deskbus.audit.format.record import Stamped
from deskbus.audit.store.audit_folder import KEYS, AuditFolder
from deskbus.audit.store.key_file import KeyFile
from deskbus.audit.write.chain_writer import ChainWriter
from deskbus.audit.write.recovery import Opening, open_log
from deskbus_protocol.events import Event, Violation

START_MS = 1_767_225_600_000


class ManualClock:
    def __init__(self) -> None:
        self.ms = START_MS
        self.us = 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def mono_us(self) -> int:
        return self.us

    def pass_ms(self, span_ms: int) -> None:
        self.ms += span_ms
        self.us += span_ms * 1000


class Rig:
    def __init__(self, path: Path, *, max_bytes: int = 1 << 24) -> None:
        self.path = path
        self.clock = ManualClock()
        self.max_bytes = max_bytes
        self.runs = 0
        self.folder = AuditFolder(path)

    def open(self, **anchor: object) -> Opening:
        """As a process that starts; `end` or `crash` comes before the next one."""
        self.folder = AuditFolder(self.path)
        self.folder.claim()
        self.runs += 1
        return open_log(
            self.folder,
            KeyFile(self.path / KEYS, None),
            self.clock,
            boot=f"run{self.runs}",
            max_bytes=self.max_bytes,
            **anchor,  # type: ignore[arg-type]
        )

    def write(self, chain_writer: ChainWriter, events: Sequence[Event]) -> list[bytes]:
        stamped = []
        for event in events:
            self.clock.pass_ms(10)
            stamped.append(Stamped(event, self.clock.ms, self.clock.us))
        return chain_writer.append(stamped)

    def end(self, chain_writer: ChainWriter) -> None:
        chain_writer.close()
        self.folder.release()

    def crash(self) -> None:
        """The process is gone; nothing more is written, and the folder is free."""
        self.folder.release()

    def run(self, *batches: int) -> None:
        """One whole life: batches of so many records each."""
        chain_writer = self.open().chain_writer
        for number, count in enumerate(batches):
            self.write(chain_writer, [event(number, at) for at in range(count)])
        self.end(chain_writer)


def event(batch: int, at: int) -> Violation:
    return Violation(
        app=f"com.example.app{at % 5}", kind="acl", method="bus.publish", target=f"t.{batch}.{at}"
    )
