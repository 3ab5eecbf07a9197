"""Decisions about apps' processes; pure, time comes in as an argument."""

__all__ = ["secret_names"]
