"""ReportProgress: how a long piece of work tells how far it has come."""

from collections.abc import Callable

ReportProgress = Callable[[int, int], None]
"""Called with how much is done, and of how much: bytes or records, as the work says."""
