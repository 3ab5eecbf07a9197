"""The message log on disk: batches in segment files, read back byte for byte."""

__all__ = ["batch_sealer", "log", "service", "topic_log"]
