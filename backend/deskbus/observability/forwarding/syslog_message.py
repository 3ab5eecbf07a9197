"""Audit records and alerts as syslog messages (RFC 5424), in frames of RFC 5425."""

import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from deskbus.observability.forwarding.alert import Alert
from deskbus_protocol.audit import AuditRecord
from deskbus_protocol.events import Severity

AUDIT_FACILITY = 13
DAEMON_FACILITY = 3
SEVERITIES: Mapping[Severity, int] = {"critical": 2, "warning": 4, "notice": 5, "info": 6}
ALERT_SEVERITIES = {"failed": 2, "degraded": 4, "ok": 5, "off": 5}

ENTERPRISE = 32473
"""The number that RFC 5612 sets aside for where an organisation has none of its own."""

BOM = "\ufeff"
NOTHING = "-"
MAX_HOST, MAX_APP, MAX_PROC, MAX_MSGID = 255, 48, 128, 32
_UNPRINTABLE = re.compile(r"[^!-~]")


def record_message(record: AuditRecord, *, host: str, epoch: str) -> bytes:
    """The whole record is the message's text, as JSON; what is searched for is in its data too."""
    data = {
        "seq": str(record.seq),
        "app": record.app,
        "client": record.client,
        "actor": record.actor,
        "decision": record.decision if isinstance(record.decision, str) else "",
        "traceId": record.trace_id,
        "correlationId": record.correlation_id,
    }
    text = msgspec.json.encode(record).decode()
    priority = AUDIT_FACILITY * 8 + SEVERITIES[record.severity]
    return _message(priority, record.time, host, epoch, record.type, data, text)


def alert_message(alert: Alert, *, host: str, epoch: str) -> bytes:
    priority = DAEMON_FACILITY * 8 + ALERT_SEVERITIES[alert.status]
    data = {"component": alert.component, "status": alert.status}
    text = msgspec.json.encode(alert._asdict()).decode()
    return _message(priority, alert.time, host, epoch, "health.changed", data, text)


def framed(message: bytes) -> bytes:
    """With its length before it (RFC 5425, section 4.3)."""
    return b"%d %b" % (len(message), message)


def host_name() -> str:
    return socket.gethostname()


def _message(
    priority: int,
    unix_ms: int,
    host: str,
    epoch: str,
    kind: str,
    data: Mapping[str, str],
    text: str,
) -> bytes:
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    head = " ".join(
        (
            f"<{priority}>1",
            f"{at:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1000:03d}Z",
            _header(host, MAX_HOST),
            _header("deskbus", MAX_APP),
            _header(epoch, MAX_PROC),
            _header(kind, MAX_MSGID),
        )
    )
    pairs = "".join(f' {name}="{_escaped(value)}"' for name, value in data.items() if value)
    return f"{head} [deskbus@{ENTERPRISE}{pairs}] {BOM}{text}".encode()


def _header(text: str, limit: int) -> str:
    """Printable ASCII without spaces."""
    return _UNPRINTABLE.sub("_", text)[:limit] or NOTHING


def _escaped(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", value)
