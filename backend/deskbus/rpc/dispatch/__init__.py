"""Calls: the method table, the dispatcher, and the calls that are not answered yet."""

__all__ = ["dispatcher", "method_table"]
