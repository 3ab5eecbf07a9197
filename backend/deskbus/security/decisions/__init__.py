"""Decisions of a person: their table, its storage, one-time grants, settings."""

__all__ = ["decision_store", "decision_table", "permission_settings"]
