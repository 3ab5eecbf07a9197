"""Panels that the shell shows, and their content."""

__all__ = ["audit_panel", "panels", "permissions_panel"]
