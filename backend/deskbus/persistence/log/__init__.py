"""The message log on disk: segments, batches, indexes."""

__all__ = ["message_log", "retention"]
