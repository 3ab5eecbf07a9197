"""What is kept of the bus on disk: batches in segment files, read back as the bytes they were."""

__all__ = ["log", "sealing", "service", "topic_log"]
