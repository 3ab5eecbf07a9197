"""Secrets at rest: the vault, and the places that have its key."""
