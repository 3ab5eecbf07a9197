"""Ground of the persistence tests: lines as the wire has them, a disk that fails, a clock."""

import errno
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.log.batch import Messages
from deskbus.persistence.log.file_operations import Files
from deskbus.persistence.log.message_log import MessageLog
from deskbus.storage.folder_lock import FolderLock
from deskbus_protocol.wire.rpc import encode

NOW_MS = 1_700_000_000_000
HOSTILE_PAYLOAD = rb'{"x":",\"timestamp\":1,","timestamp":1,"seq":1,"topic":"b","sender":1}'

SMALL_SEGMENT = 2000


class Message(NamedTuple):
    topic: str
    seq: int
    timestamp_ms: int
    line: bytes


def message(topic: str, seq: int, timestamp_ms: int = NOW_MS, payload: bytes = b"1") -> Message:
    return Message(
        topic,
        seq,
        timestamp_ms,
        b'{"jsonrpc":"2.0","method":"bus.message","params":{"topic":%b,'
        b'"sender":{"app":"feed","client":"main"},"epoch":"e1","seq":%d,"id":"e1.1.%d",'
        b'"correlationId":"c,\\",\\"timestamp\\":5","timestamp":%d,"payload":%b}}\n'
        % (encode(topic), seq, seq, timestamp_ms, payload),
    )


def numbered(topic: str, first: int, last: int, **options: Any) -> list[Message]:
    return [message(topic, seq, **options) for seq in range(first, last + 1)]


def batch_of(found: Iterable[Message], first_position: int = 0) -> Messages:
    messages = Messages(first_position)
    for each in found:
        messages.add(*each)
    return messages


def opened(folder: Path, **options: Any) -> MessageLog:
    """A log of `folder` at `NOW_MS`, opened."""
    log = MessageLog(folder, **{"clock_ms": lambda: NOW_MS, **options})
    log.open()
    return log


def write(log: MessageLog, *batches: Iterable[Message], sync: bool = False) -> None:
    """Writes each of `batches` as one batch; an error fails the test."""
    written = log.write([batch_of(batch) for batch in batches], sync=sync)
    assert written.error is None


def read(log: MessageLog, query: LogQuery | None = None) -> bytes:
    return b"".join(block.lines for block in log.read(query or LogQuery()))


def lines(found: Iterable[Message]) -> bytes:
    return b"".join(each.line for each in found)


def seqs(block: bytes) -> list[int]:
    return [json.loads(line)["params"]["seq"] for line in block.splitlines()]


class Disk(Files):
    """Counts what is done to it, and fails on demand."""

    def __init__(self) -> None:
        self.failing: dict[str, int] = {}
        self.room_bytes: int | None = None
        self.done: list[str] = []
        self.before: Callable[[str], None] = lambda operation: None

    def make_folder(self, folder: Path) -> None:
        self._do("make_folder")
        super().make_folder(folder)

    def sync_folder(self, lock: FolderLock) -> None:
        self._do("sync_folder")
        super().sync_folder(lock)

    def create(self, path: Path) -> int:
        self._do("create")
        return super().create(path)

    def write_at(self, descriptor: int, offset: int, data: bytearray) -> None:
        self._do("write")
        if self.room_bytes is not None and len(data) > self.room_bytes:
            super().write_at(descriptor, offset, data[: self.room_bytes])
            raise OSError(errno.ENOSPC, "full")
        super().write_at(descriptor, offset, data)

    def sync(self, descriptor: int) -> None:
        self._do("sync")

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self._do("truncate")
        super().truncate(descriptor, size_bytes)

    def remove(self, path: Path) -> None:
        self._do("remove")
        super().remove(path)

    def _do(self, operation: str) -> None:
        self.before(operation)
        if operation in self.failing:
            raise OSError(self.failing[operation], "failing")
        self.done.append(operation)


class _Timer:
    def __init__(self, at_s: float, callback: Callable[[], None]) -> None:
        self.at_s = at_s
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Timers:
    """A clock that stands still until it is told how far to go."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._timers: list[_Timer] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(self.now_s + delay_s, callback)
        self._timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Calls what is due within `seconds`, in order."""
        end_s = self.now_s + seconds
        while due := [t for t in self._timers if not t.cancelled and t.at_s <= end_s]:
            timer = min(due, key=lambda timer: timer.at_s)
            self._timers.remove(timer)
            self.now_s = timer.at_s
            timer.callback()
        self.now_s = end_s

    def delays_of(self, callback: Callable[[], None]) -> list[float]:
        return [
            round(timer.at_s - self.now_s, 3)
            for timer in self._timers
            if timer.callback == callback and not timer.cancelled
        ]


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


def reopened(log: MessageLog) -> MessageLog:
    log.close()
    return opened(log.folder)
