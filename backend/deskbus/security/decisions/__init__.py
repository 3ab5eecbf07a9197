"""Decisions of a person: their table, its storage, one-time grants, settings."""
