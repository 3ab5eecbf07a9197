"""Searching the audit log: index, matching, live tails."""
