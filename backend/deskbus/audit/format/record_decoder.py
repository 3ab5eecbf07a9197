"""A line of the log as the record that readers get."""

from typing import Any

import msgspec

from deskbus_protocol.audit import AuditRecord

_NOT_DETAILS = frozenset({"prev", "mac"})
_COMMON = {
    "seq": "seq",
    "time": "time",
    "mono": "mono",
    "boot": "boot",
    "type": "type",
    "severity": "severity",
    "decision": "decision",
    "app": "app",
    "client": "client",
    "actor": "actor",
    "reason": "reason",
    "correlationId": "correlation_id",
    "traceId": "trace_id",
}
_decode = msgspec.json.Decoder().decode


def decode_record(line: bytes) -> AuditRecord:
    """Raises `msgspec.MsgspecError` for a line that is no record."""
    try:
        fields: dict[str, Any] = _decode(line)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.ValidationError("a record that can't be read") from error
    if not isinstance(fields, dict):
        raise msgspec.ValidationError("not a record")
    common = {_COMMON[name]: value for name, value in fields.items() if name in _COMMON}
    details = {
        name: value
        for name, value in fields.items()
        if name not in _COMMON and name not in _NOT_DETAILS
    }
    try:
        return AuditRecord(**common, details=details)
    except TypeError as error:
        raise msgspec.ValidationError("a record without its members") from error
