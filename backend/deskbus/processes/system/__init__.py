"""Processes as the operating system has them."""

__all__ = ["resource_group"]
