"""Processes as the operating system has them."""
