"""The audit log: written, read, and told of refused calls."""
