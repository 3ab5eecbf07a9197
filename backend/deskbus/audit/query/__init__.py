"""Searching the audit log: index, matching, live tails."""

__all__ = ["index", "search"]
