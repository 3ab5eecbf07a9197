"""The audit log on disk: its folder, keys, retention and anchor."""

__all__ = ["anchor", "audit_folder", "key_file", "retention"]
