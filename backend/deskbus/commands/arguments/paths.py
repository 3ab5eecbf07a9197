"""Paths as a person types them, for argparse."""

from argparse import ArgumentTypeError
from pathlib import Path


def path(text: str) -> Path:
    """An empty one comes from a variable that is not set, and would be the working folder."""
    if not text:
        raise ArgumentTypeError("the path is empty")
    return Path(text)
