"""The places of a bundle, and the interpreter from which it is made."""

import os
import sys
import sysconfig
from pathlib import Path

from deskbus.commands.terminal.failures import CommandError
from deskbus.config import BUNDLE_MANIFEST

APP_PACKAGES = "app-packages"
"""The folder of the packages that only apps import."""

COMMAND = "deskbus.cmd" if os.name == "nt" else "deskbus"

MOVABLE = (
    "Run this with a Python that can be moved, such as one that `uv python install` makes, or a "
    "venv of it."
)


class BundleLayout:
    """The paths below `root`, as the interpreter that runs now has them below its own prefix."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.standard_library = root / _below_prefix(Path(sysconfig.get_path("stdlib")))
        self.python = root / ("python.exe" if os.name == "nt" else "bin/python3")
        self.libraries = root / ("." if os.name == "nt" else "lib")
        self.command = root / COMMAND
        self.app_packages = root / APP_PACKAGES
        self.manifest = root / BUNDLE_MANIFEST


def source_interpreter() -> Path:
    """The executable of the running Python, which a venv only links to.

    Raises `CommandError` for one that can't be moved.
    """
    if sysconfig.get_config_var("PYTHONFRAMEWORK"):
        raise CommandError("this Python is a framework of macOS, which has one place", MOVABLE)
    # Not in the stubs of every platform, but there since Python 3.
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Path(base).resolve()


def _below_prefix(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path(sys.base_prefix).resolve())
    except ValueError:
        words = f"the standard library of this Python is at {path}, outside of {sys.base_prefix}"
        raise CommandError(words, MOVABLE) from None
