"""The administrator's policy."""
