"""DACP, the Desktop Agent Communication Protocol: its messages, its table, its handlers."""

__all__ = ["service"]
