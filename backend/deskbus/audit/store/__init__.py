"""The audit log on disk: its folder, keys, retention and anchor."""
