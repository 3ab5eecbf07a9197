"""Verifies a log from its files and its genesis public key alone, in one pass.

It proves that every record is there once, in order, as it was written, from the first one (or the
first one that retention kept) to the newest checkpoint; every checkpoint is signed by the key that
the one before it named. An anchor or a checkpoint kept elsewhere proves that the end is the end.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET, structs

from deskbus.audit.format import checkpoint, signed_note
from deskbus.audit.store.audit_folder import (
    GENESIS,
    AuditFile,
    DamagedFileError,
    LineReader,
    list_files,
)
from deskbus.audit.store.retained_heads import PruneError, retained_heads
from deskbus.audit.verify.chain_verifier import ChainVerifier, Tampered
from deskbus.contracts.progress import ReportProgress
from deskbus.storage.newer_format import NewerFormatError
from deskbus_protocol.audit import AuditFinding, AuditVerdict, VerdictWord
from deskbus_protocol.wording.quantity import counted

MAX_FINDINGS = 100


class Unanchored(NamedTuple):
    """Why nothing outside of the log's folder vouches for its end, and what to do about that."""

    reason: str
    action: str


NO_KEYCHAIN = Unanchored(
    "no keychain keeps the end of this log: that no records are missing there is not proven",
    "Set up a keychain or a master password (deskbus vault change-password). Meanwhile keep"
    " checkpoints elsewhere (deskbus audit head) and verify --against them",
)
A_COPY = Unanchored(
    "the anchor of a copy is not beside it: that no records are missing at the end is not proven",
    "Verify --against a checkpoint that was kept (deskbus audit head)",
)
NOT_YET = Unanchored(
    "the vault has no anchor of this log: that no records are missing at its end is not proven",
    "A running backend makes one within seconds. If one has run here before, somebody removed it:"
    " verify --against a checkpoint that was kept, or a copy of the vault",
)


def unread(why: str) -> Unanchored:
    """For an anchor that should be there."""
    return Unanchored(
        f"the anchor in the vault can't be read ({why}): that no records are missing at the end of"
        " the log is not proven",
        "Unlock the vault, or put it back, and verify again. If nobody removed or changed it on"
        " purpose, take it that somebody hides something: verify --against a kept checkpoint",
    )


class KnownHead(NamedTuple):
    """A known earlier state of the log: `root` over its first `size` records."""

    name: str
    size: int
    root: bytes
    key: str = ""
    """The log's verifier key, where it is known there."""


def known_head_of(text: str, name: str) -> KnownHead:
    """A checkpoint that was kept elsewhere; raises `NoteError`."""
    found = checkpoint.read(text)
    return KnownHead(name, found.size, found.root)


def own_key(folder: Path) -> str:
    """The verifier key that lies beside the log; raises `OSError`, `NoteError`."""
    try:
        return (folder / GENESIS).read_text("ascii").strip()
    except UnicodeDecodeError:
        raise signed_note.NoteError("what lies beside the log is not a verifier key") from None


class Verifier:
    """One verification; `run` does it, and raises nothing for what it finds, but
    `NewerFormatError` where a later version wrote on, for that is no finding.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        *,
        marks: Sequence[KnownHead] = (),
        until: int | None = None,
        live: bool = False,
        part: bool = False,
        unanchored: Unanchored | None = None,
        progress: ReportProgress | None = None,
    ) -> None:
        """`key` is the genesis verifier key. A log that is being written is `live`: what stands
        behind its newest checkpoint is then on its way, not left over. `until` ends the reading at
        the first checkpoint of that many records. Of a `part` nobody asks for the record of what
        retention removed before: that stands further on. `unanchored` is told where else all is
        well. Raises `NoteError` for a bad key.
        """
        self._folder = folder
        self._key = key
        self._origin, self._genesis = signed_note.parse_key(key)
        self._marks = marks
        self._until = until
        self._live = live
        self._part = part
        self._unanchored = unanchored
        self._progress = progress
        self._file = ""
        self._findings: list[AuditFinding] = []
        self._known: dict[int, bytes] = {}
        self._follower = ChainVerifier(self._origin, self._genesis)

    def run(self) -> AuditVerdict:
        try:
            self._read_all()
            self._check_marks()
        except Tampered as found:
            return self._verdict("TAMPERED", found.reason, found.seq)
        except PruneError as error:
            return self._verdict("TAMPERED", str(error))
        except DamagedFileError:
            return self._verdict("TAMPERED", "the compressed file is damaged", self._follower.size)
        except NewerFormatError:
            raise
        except OSError:
            return self._verdict("TAMPERED", "a file can't be read", self._follower.size)
        lines, torn = self._follower.unsigned
        word: VerdictWord = "OK"
        if (lines or torn) and not self._live:
            left = f"{counted(lines, 'record')} and {counted(torn, 'byte')}"
            words = (
                f"not signed behind the last checkpoint: {left}; the backend did not end in order"
            )
            self._find("tail", self._follower.size, words)
            word = "UNCLEAN TAIL"
        if self._unanchored is not None:
            why, action = self._unanchored
            return structs.replace(self._verdict("UNANCHORED", why), action=action)
        return self._verdict(word)

    def _read_all(self) -> None:
        files = list_files(self._folder)
        if not files:
            raise Tampered("there is no file of the log", 0)
        pruned = retained_heads(self._folder, self._origin, self._genesis)
        self._known = pruned.roots
        first = files[0].number
        if first > len(pruned.signers):
            raise Tampered(f"file {len(pruned.signers)} is missing", 0)
        self._follower = ChainVerifier(self._origin, pruned.signers[first - 1])
        total = sum(file.path.stat().st_size for file in files)
        done = 0
        for number, file in enumerate(files, first):
            if file.number != number:
                raise Tampered(f"file {number} is missing", self._follower.size)
            self._file = file.path.name
            self._read(file, done, total, last=file is files[-1])
            done += file.path.stat().st_size
            if self._until is not None and self._follower.size >= self._until:
                break
        kept_from = self._follower.first
        if kept_from:
            if self._follower.pruned_through < kept_from - 1 and not self._part:
                words = "files are gone, and no record says that retention removed them"
                raise Tampered(words, kept_from)
            self._find(
                "pruned", kept_from, f"retention removed {counted(kept_from, 'record')} before"
            )
        if self._progress is not None:
            self._progress(total, total)

    def _read(self, file: AuditFile, done: int, total: int, *, last: bool) -> None:
        reader = LineReader(file)
        begun = False
        for block in reader:
            lines = block.lines
            if not begun:
                self._follower.begin_file(lines[0], file.number)
                begun = True
                lines = lines[1:]
            self._follower.take(lines)
            self._tell_findings()
            if self._progress is not None:
                self._progress(done + block.offset, total)
            if self._until is not None and self._follower.size >= self._until:
                return
        if not begun and not last:
            raise Tampered("the file has no head", self._follower.size)
        # A crash as a file was made leaves it without its whole head; the next run completes it.
        self._follower.end_file(reader.rest)

    def _check_marks(self) -> None:
        roots = {**self._known, **self._follower.roots}
        for mark in self._marks:
            if mark.key and mark.key != self._key:
                raise Tampered(f"the log is not the one that {mark.name} saw", 0)
            if mark.size > self._follower.size:
                words = f"the log was cut back: {mark.name} saw {counted(mark.size, 'record')}"
                raise Tampered(words, self._follower.size)
            if mark.size in roots:
                if roots[mark.size] != mark.root:
                    raise Tampered(f"the log is not the one that {mark.name} saw", mark.size)
            elif mark.size >= self._follower.first:
                raise Tampered(f"the log has no checkpoint where {mark.name} saw one", mark.size)
            else:
                words = f"{mark.name} saw records that retention has removed since"
                self._find("pruned", mark.size, words)

    def _find(self, kind: str, seq: int, text: str) -> None:
        if len(self._findings) < MAX_FINDINGS:
            found = AuditFinding(kind=kind, file=self._file, seq=seq, text=text)
            self._findings.append(found)

    def _tell_findings(self) -> None:
        follower = self._follower
        for step in follower.steps:
            self._find("clock", step.seq, step.text)
        for at, records, torn in follower.unclean_ends:
            taken, left = counted(records, "record"), counted(torn, "byte")
            words = f"a run ended without closing its log; taken in: {taken}, left aside: {left}"
            self._find("crash", at, words)
        follower.steps.clear()
        follower.unclean_ends.clear()

    def _verdict(self, word: VerdictWord, reason: str = "", seq: int | None = None) -> AuditVerdict:
        follower = self._follower
        return AuditVerdict(
            verdict=word,
            records=follower.size - follower.first,
            first=follower.first,
            size=follower.size,
            key=self._key,
            anchor=", ".join(mark.name for mark in self._marks) or "none",
            file=self._file if word == "TAMPERED" else "",
            seq=UNSET if seq is None else seq,
            reason=reason,
            checkpoint=follower.newest,
            findings=self._findings,
        )
