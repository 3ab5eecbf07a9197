"""One run of an app's process, from its start to its end."""

__all__ = ["environment", "process_starter", "spawn"]
