"""`deskbus audit`: the audit log, read from its files; no backend is needed, and none in the way.

Its proofs need the log's public key alone.
"""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from deskbus.audit.format import signed_note
from deskbus.audit.format.lines import LineError
from deskbus.audit.format.merkle import ProofError
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.proof.proof_bundle import (
    VERSION,
    Bundle,
    Consistency,
    Prover,
    check_bundle,
    check_consistent,
    make_consistency,
    read_chain,
)
from deskbus.audit.report import export
from deskbus.audit.report.export_file import Exporter, proof_of
from deskbus.audit.report.html_report import render
from deskbus.audit.report.report_data import Period, gather
from deskbus.audit.store.audit_folder import DamagedFileError
from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.commands.arguments.times import unix_ms
from deskbus.commands.audit_log import (
    OpenedAuditLog,
    anchor_of,
    filter_of,
    folder_of,
    forget_index,
    is_live,
    kept_mark,
    opened,
)
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import CommandError, MisuseError
from deskbus.commands.terminal.progress_bar import show_progress
from deskbus.storage.clocks import wall_ms
from deskbus.storage.durable_files import write_private
from deskbus.storage.newer_format import refuse_newer
from deskbus.storage.regular_file import read_regular_file
from deskbus_protocol.audit import AuditFormat, AuditOrder, AuditRecord, AuditVerdict, VerdictWord
from deskbus_protocol.wording.quantity import counted

T = TypeVar("T")

PAGE = 1000
MAX_PROOF_BYTES = 512 * 1024 * 1024
"""Limit of an export or its proof: `MAX_PROVEN` records of some kilobytes each."""

EXIT_CODES: dict[VerdictWord, int] = {"OK": 0, "UNCLEAN TAIL": 0, "TAMPERED": 1, "UNANCHORED": 3}


def run(options: Namespace) -> int:
    """Answers with 1 where something is not as it should be, with `EXIT_CODES` for a verdict.

    Raises `MisuseError` for a senseless argument, `CommandError`, `OSError`.
    """
    try:
        return _ACTIONS[options.what](options)
    except (NoteError, ProofError, LineError, export.ExportError) as error:
        raise CommandError(str(error)) from None
    except DamagedFileError:
        raise CommandError("a file of the log is damaged", "See: deskbus audit verify") from None
    except ValueError as error:
        raise MisuseError(str(error)) from None


def _verify(options: Namespace) -> int:
    verdict = verdict_of(options)
    forget_index(folder_of(options))
    output.emit(verdict)
    if verdict.verdict != "OK":
        words = f"{verdict.verdict}: {verdict.reason or 'the end of the log is not signed'}"
        output.tell(f"deskbus: {words}")
        if verdict.action:
            output.tell(f"deskbus: {verdict.action}")
    return EXIT_CODES[verdict.verdict]


def verdict_of(options: Namespace) -> AuditVerdict:
    """Raises `OSError`, `NoteError`."""
    folder = folder_of(options)
    mark, unanchored = anchor_of(options)
    marks = [mark] if mark else []
    marks += [kept_mark(path) for path in options.against]
    return Verifier(
        folder,
        key_of(options),
        marks=marks,
        live=is_live(folder),
        unanchored=unanchored,
        progress=show_progress,
    ).run()


def key_of(options: Namespace) -> str:
    """The verifier key that was given, itself or in a file; else the one beside the log."""
    if options.key is None:
        return own_key(folder_of(options))
    given = Path(options.key)
    text = read_regular_file(given).decode("ascii").strip() if given.is_file() else options.key
    signed_note.parse_key(text)
    return text


def _query(options: Namespace) -> int:
    """Prints records, and says on standard error where the limit left some out."""
    wanted = filter_of(options)
    order: AuditOrder = "oldest" if options.oldest else "newest"
    printed, cursor = 0, None
    with opened(options) as log:
        while True:
            limit = min(options.limit - printed, PAGE) if options.limit else PAGE
            found = log.search.find(wanted, order=order, limit=max(limit, 1), cursor=cursor)
            if options.limit and found.records and limit < 1:
                words = f"the {order} {counted(printed, 'record')}; --limit 0 prints all"
                output.tell(f"deskbus: these are {words}")
                break
            for record in found.records:
                output.emit_one(record, _cells(record))
            printed += len(found.records)
            cursor = found.cursor
            if cursor is None:
                break
    return 0


def _export(options: Namespace) -> int:
    """Writes the records, and beside them their proof."""
    wanted = filter_of(options)
    with opened(options) as log:
        records = _exporter(log, options).write(wanted, options.format, options.file)
    proof = proof_of(options.file)
    output.emit({"records": records, "file": str(options.file), "proof": str(proof)})
    return 0


def _exporter(log: OpenedAuditLog, options: Namespace) -> Exporter:
    return Exporter(log.folder, log.index, log.search, key_of(options))


def _report(options: Namespace) -> int:
    """The records of a period as a page to print, with the verdict on the whole log."""
    period = Period(
        unix_ms(options.since) if options.since else None,
        unix_ms(options.until) if options.until else None,
    )
    verdict = verdict_of(options)
    with opened(options) as log:
        data = gather(log.search, period, show_progress)
    page = render(data, verdict, wall_ms())
    write_private(options.file, page.encode())
    output.emit({"records": data.records, "file": str(options.file), "verdict": verdict.verdict})
    return EXIT_CODES[verdict.verdict]


def _head(options: Namespace) -> int:
    newest = read_chain(folder_of(options))
    text = [*newest.heads, *newest.notes][-1]
    output.emit({"checkpoint": text, "key": key_of(options), "size": newest.newest.size})
    return 0


def _prove(options: Namespace) -> int:
    """Proves one record, or that the log continues a checkpoint that was kept."""
    with opened(options) as log:
        if options.since_checkpoint is not None:
            chain = read_chain(log.folder)
            log.index.catch_up()
            mark = kept_mark(options.since_checkpoint)
            prover = Prover(log.search, log.index, chain)
            output.emit(
                make_consistency(key_of(options), chain, mark.size, mark.root, prover.subtree)
            )
            return 0
        if options.seq is None:
            raise ValueError("name a record by its sequence, or a checkpoint")
        line = log.search.read(options.seq)
        if line is None:
            raise ProofError("there is no such record")
        bundle = _exporter(log, options).prove([options.seq])
        output.emit({"record": line.decode(), "proof": msgspec.to_builtins(bundle)})
    return 0


class _Proven(msgspec.Struct, frozen=True):
    """The output of `prove` for one record."""

    record: str
    proof: Bundle


class _RawProof(msgspec.Struct, frozen=True):
    proof: msgspec.Raw


def _check(options: Namespace) -> int:
    """An export with its proof, or what `prove` printed, without the log."""
    if options.key is None:
        raise ValueError("name the log's verifier key; one that came with the proof proves nothing")
    key = key_of(options)
    content = read_regular_file(options.file, MAX_PROOF_BYTES)
    proof = proof_of(options.file)
    if proof.is_file():
        bundle = _decode(read_regular_file(proof, MAX_PROOF_BYTES), Bundle)
        lines = export.decode(content.decode(), _format_of(options.file))
        newest = check_bundle(bundle, lines, key)
        output.emit({"proven": True, "records": len(lines), "size": newest.size})
        return 0
    try:
        refuse_newer(msgspec.json.decode(content, type=_RawProof).proof, VERSION, "the proof")
        proven = msgspec.json.decode(content, type=_Proven)
    except msgspec.MsgspecError:
        consistency = _decode(content, Consistency)
        newest = check_consistent(consistency, key)
        output.emit({"proven": True, "from": consistency.size, "size": newest.size})
        return 0
    newest = check_bundle(proven.proof, [proven.record.encode()], key)
    output.emit({"proven": True, "records": 1, "size": newest.size})
    return 0


def _decode(content: bytes, kind: type[T]) -> T:
    """Raises `ProofError`, `NewerFormatError`."""
    refuse_newer(content, VERSION, "the proof")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:
        raise ProofError("this is not a proof") from None


def _format_of(file: Path) -> AuditFormat:
    if file.suffix == ".csv":
        return "csv"
    return "ndjson" if file.suffix == ".ndjson" else "json"


_ACTIONS: dict[str, Callable[[Namespace], int]] = {
    "verify": _verify,
    "query": _query,
    "export": _export,
    "report": _report,
    "head": _head,
    "prove": _prove,
    "check": _check,
}


def _cells(record: AuditRecord) -> list[str]:
    """A line for a person: when, what, and the rest as it stands."""
    members = msgspec.to_builtins(record)
    words = [output.time_of(members.pop("time")), str(members.pop("type", ""))]
    return [*words, *(f"{name}={output.text_of(value)}" for name, value in members.items())]
