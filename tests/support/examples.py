"""The folder examples/, set up elsewhere, so that a run leaves nothing in the tree."""

import shutil
import sys
from pathlib import Path

from demo.electron import ROOT

EXAMPLES = ROOT / "examples"


def set_up_examples(folder: Path) -> Path:
    """Copies the examples below `folder`, with both packages installed; returns their folder."""
    copy = folder / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    package = copy / "node_modules/deskbus-electron"
    package.parent.mkdir()
    package.symlink_to(ROOT / "electron-bridge")
    (folder / ".venv").symlink_to(sys.prefix)
    return copy
