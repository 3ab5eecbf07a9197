"""The message log on disk: batches in segment files, read back byte for byte."""

__all__ = ["log", "sealing", "service", "topic_log"]
