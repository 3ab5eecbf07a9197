"""Runs a Node load program and hands over the figures that it prints."""

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.performance.servers.child import child, tail

FOLDER = Path(__file__).parents[1]
ROOT = FOLDER.parent.parent
NODE_MODULES = ROOT / "electron-bridge" / "node_modules"

Figures = dict[str, float]


class LoadError(Exception):
    """A load program ended without a figure."""


def node_environment() -> dict[str, str]:
    """The environment in which the programs here find the npm packages."""
    return {**os.environ, "NODE_PATH": str(NODE_MODULES), "NODE_ENV": "production"}


@contextmanager
def load(program: str, task: Mapping[str, Any], limit_s: float) -> Iterator[Figures]:
    """Runs loads/`program`.js; its connections stay open for the length of the block.

    Raises `LoadError` if it fails or takes longer than `limit_s`.
    """
    command = ["node", str(FOLDER / "loads" / f"{program}.js"), json.dumps(task)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder, "load.log")
        with child(command, log=log, env=node_environment(), talks=True) as process:
            line = _first_line(process, limit_s)
            if line is None:
                raise LoadError(f"{program} took longer than {limit_s:.0f} s; {tail(log)}")
            if not line:
                raise LoadError(f"{program} failed: {tail(log)}")
            yield json.loads(line)


def _first_line(process: subprocess.Popen[bytes], limit_s: float) -> bytes | None:
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], limit_s)
    return process.stdout.readline() if ready else None
