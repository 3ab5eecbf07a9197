"""What is done to closed files: they are compressed, and the oldest go when retention says so."""

from typing import NamedTuple

from deskbus.audit import checkpoint
from deskbus.audit.files import PRUNED, AuditFolder, LineReader, LogFile
from deskbus.audit.lines import read_head
from deskbus.audit.retention import Kept, Retention


class Prune(NamedTuple):
    """What retention asks for: the files, and the last record in them."""

    files: list[LogFile]
    through: int
    rule: str


def compress_closed(folder: AuditFolder, current: int) -> None:
    """Every closed file that is not compressed yet; raises `OSError`."""
    for file in folder.files():
        if file.number < current and not file.compressed:
            folder.compress(file)


def plan_prune(
    folder: AuditFolder, retention: Retention, current: int, now_ms: int
) -> Prune | None:
    """None where everything may stay; raises `OSError`."""
    closed = [file for file in folder.files() if file.number < current]
    if not closed:
        return None
    stats = [file.path.stat() for file in closed]
    kept = [
        Kept(file.number, stat.st_size, int(stat.st_mtime * 1000))
        for file, stat in zip(closed, stats, strict=True)
    ]
    gone, rule = retention.expired(kept, now_ms)
    if not gone:
        return None
    files = [file for file in closed if file.number in gone]
    following = next(f for f in folder.files() if f.number > files[-1].number)
    through = checkpoint.read(read_head(_head_of(following)).note).size - 1
    return Prune(files, through, rule)


def remove(folder: AuditFolder, files: list[LogFile]) -> None:
    """Keeps the heads, then lets the files go. Cut short, it can be done again."""
    place = folder.path / PRUNED
    heads = place.read_bytes().splitlines() if place.exists() else []
    added = [_head_of(file) for file in files if file.number > len(heads)]
    if added:
        folder.replace(PRUNED, b"".join(head + b"\n" for head in [*heads, *added]))
    for file in files:
        folder.remove(file.path)
    folder.sync_names()


def _head_of(file: LogFile) -> bytes:
    return next(iter(LineReader(file))).lines[0]
