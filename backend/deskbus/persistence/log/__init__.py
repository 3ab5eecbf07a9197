"""The message log on disk: segments, batches, indexes."""
