"""Every command is in the reference, in words that don't depend on the machine."""

import subprocess
import sys
from pathlib import Path

from deskbus.export.command_reference import command_reference


def test_every_command_is_there_with_its_options() -> None:
    page = command_reference()
    for name in ("serve", "call", "vault change-password", "audit verify", "fdc3 contexts"):
        assert f"\n## deskbus {name}\n" in page
    assert "| `--keys {all,kek,data}` |" in page
    assert "deskbus apps limit APP [NAME=N …]" in page


def test_it_is_the_same_in_another_home_and_terminal(tmp_path: Path) -> None:
    program = "from deskbus.export.command_reference import command_reference as r; print(r())"
    env = {"HOME": str(tmp_path), "COLUMNS": "40", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == command_reference() + "\n"
