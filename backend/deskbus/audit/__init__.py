"""The audit log: AuditLogger, chain and signed checkpoints, verification, queries, exports."""

__all__ = [
    "format",
    "logger",
    "proof",
    "query",
    "reader",
    "report",
    "store",
    "verify",
    "violation_recorder",
]
