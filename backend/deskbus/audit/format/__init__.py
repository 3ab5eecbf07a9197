"""The audit log's files, record by record: lines, checkpoints, Merkle tree, keys."""

__all__ = ["lines", "merkle", "signed_note"]
