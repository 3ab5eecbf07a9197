"""The audit log: AuditLogger, chain and signed checkpoints, verification, queries, exports."""
