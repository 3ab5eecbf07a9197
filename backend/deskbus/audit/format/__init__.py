"""The audit log's files, record by record: lines, checkpoints, Merkle tree, keys."""
