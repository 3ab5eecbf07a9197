"""Maintenance of closed files: compression, and removal by retention."""

from typing import NamedTuple

from deskbus.audit.format import checkpoint
from deskbus.audit.format.lines import LineError, read_head
from deskbus.audit.store.audit_folder import (
    PRUNED,
    AuditFile,
    AuditFolder,
    LineReader,
    read_removed_heads,
)
from deskbus.audit.store.retention import AuditRetention, Kept
from deskbus.audit.verify.verifier import Verifier


class Prune(NamedTuple):
    """The files that retention removes, and the last record in them."""

    files: list[AuditFile]
    through: int
    rule: str


class Now(NamedTuple):
    """The time by the wall clock (Unix ms), and for how long this run has written, from which file.

    A file's age counts only as far as the log vouches for the time: the head of the last file of an
    earlier run, and what has passed in this one. A clock that is ahead at a start makes none old.
    """

    wall_ms: int
    ran_ms: int
    first_file: int


def compress_closed(folder: AuditFolder, current: int) -> None:
    """Every closed file that is not compressed yet; raises `OSError`."""
    for file in folder.files():
        if file.number < current and not file.compressed:
            folder.compress(file)


def plan_prune(
    folder: AuditFolder, retention: AuditRetention, current: int, now: Now
) -> Prune | None:
    """The files to remove; None where everything may stay. The age of a file is the time in the
    head behind it, not the file system's, which anybody who can write the file can set.

    Raises `OSError`, `DamagedFileError`, `LineError`, `NoteError`.
    """
    closed = [file for file in folder.files() if file.number < current]
    if not closed:
        return None
    files = folder.files()
    now_ms = now.wall_ms
    earlier = [file for file in closed if file.number < now.first_file]
    if earlier:
        vouched_ms = checkpoint.read(read_head(_head_of(earlier[-1])).note).time_ms + now.ran_ms
        now_ms = min(now_ms, vouched_ms)
    kept: list[Kept] = []
    young = False
    for file, following in zip(closed, files[1:], strict=False):
        # Behind one that is kept for its age, none goes for its age.
        ended_ms = now_ms if young else checkpoint.read(read_head(_head_of(following)).note).time_ms
        young = young or now_ms - ended_ms <= retention.max_age_ms
        kept.append(Kept(file.number, file.path.stat().st_size, ended_ms))
    gone, rule = retention.expired(kept, now_ms)
    if not gone:
        return None
    leaving, following = files[: len(gone)], files[len(gone)]
    through = checkpoint.read(read_head(_head_of(following)).note).size - 1
    return Prune(leaving, through, rule)


def check_prune(folder: AuditFolder, key: str, prune: Prune) -> str:
    """Why the files must stay: they don't verify, so they are evidence; "" where they may go.

    Raises `NoteError` for a bad key.
    """
    # The head behind the files is read too: it alone tells how the last of them ended.
    until = prune.through + 2
    verdict = Verifier(folder.path, key, until=until, live=True, part=True).run()
    return "" if verdict.verdict == "OK" else f"{verdict.file}: {verdict.reason}"


def remove(folder: AuditFolder, files: list[AuditFile]) -> None:
    """Keeps the heads, then lets the files go. Cut short, it can be done again."""
    heads = read_removed_heads(folder.path)
    added = [_head_of(file) for file in files if file.number > len(heads)]
    if added:
        folder.replace(PRUNED, b"".join([*heads, *(head + b"\n" for head in added)]))
    for file in files:
        folder.remove(file.path)
    folder.sync_names()


def _head_of(file: AuditFile) -> bytes:
    for block in LineReader(file, 0, 1 << 16):
        return block.lines[0]
    raise LineError("the file does not begin with its head")
