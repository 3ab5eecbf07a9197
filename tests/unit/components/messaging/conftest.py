"""The fixtures of these tests."""

from tests.support.files_in_memory import tmp_path

__all__ = ["tmp_path"]
