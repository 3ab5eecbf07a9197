"""Records as JSON, NDJSON or CSV. Each form holds every record's line as it stands in the log, so
that its proof bundle can be checked against the export alone.
"""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from deskbus.audit.format.record_decoder import decode_record
from deskbus_protocol.audit import AuditFormat, AuditRecord

COLUMNS = (
    "seq", "time", "type", "severity", "decision", "app", "client", "actor", "reason",
    "correlationId", "traceId", "details", "record",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Characters that begin a formula in a spreadsheet (OWASP, CSV injection)."""


class ExportError(ValueError):
    """Not an export, or one that was changed."""


def encode(lines: Sequence[bytes], form: AuditFormat) -> str:
    """Without records: an empty array, an empty text, or the head of the table alone."""
    if form == "ndjson":
        return "".join(f"{line.decode()}\n" for line in lines)
    if form == "json":
        return "[\n" + ",\n".join(line.decode() for line in lines) + "\n]\n"
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    table.writerow(COLUMNS)
    table.writerows(_row(line) for line in lines)
    return text.getvalue()


def decode(content: str, form: AuditFormat) -> list[bytes]:
    """The lines of an export; raises `ExportError` where it is not, to the byte, what `encode`
    makes of them: other programs could read an extra cell, row or comment out of it.
    """
    lines = _lines_in(content, form)
    if not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        raise ExportError("a line is no record")
    if encode(lines, form) != content:
        raise ExportError("the export says other than the records in it")
    return lines


def _lines_in(content: str, form: AuditFormat) -> list[bytes]:
    if form == "ndjson":
        return [line.encode() for line in content.split("\n") if line]
    if form == "json":
        inner = content.strip().removeprefix("[").removesuffix("]").strip()
        return [line.rstrip(",").encode() for line in inner.split("\n") if line]
    try:
        rows = list(csv.reader(io.StringIO(content, newline="")))
    except csv.Error:
        raise ExportError("this is not a table") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ExportError("the first row does not name the columns")
    if not all(rows):
        raise ExportError("a row is empty")
    return [row[-1].encode() for row in rows[1:]]


def when(time_ms: int) -> str:
    """ISO 8601, UTC, with milliseconds."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _row(line: bytes) -> list[str]:
    try:
        record = decode_record(line)
        time = when(record.time)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, OSError):
        raise ExportError("a row has no record") from None
    cells = [
        str(record.seq), time, record.type, record.severity, record.decision or "",
        record.app, record.client, record.actor, record.reason, record.correlation_id,
        record.trace_id, _details(record),
    ]  # fmt: skip
    return [*(_harmless(str(cell)) for cell in cells), line.decode()]


def _details(record: AuditRecord) -> str:
    return ", ".join(f"{name}: {value}" for name, value in record.details.items())


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
