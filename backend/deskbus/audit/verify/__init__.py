"""Verification of the audit log from its files and its genesis key."""

__all__ = ["verifier"]
