"""The compiled files of a bundle."""

import os
from pathlib import Path

from deskbus.commands.bundling.interpreter import compile_all
from deskbus.commands.bundling.layout import BundleLayout

UNCHECKED_HASH = 0b01
"""The flags of a compiled file that counts whatever its source is (PEP 552)."""


def test_compiled_files_outlive_an_installer_that_changes_times(tmp_path: Path) -> None:
    layout = BundleLayout(tmp_path)
    layout.app_packages.mkdir()
    source = layout.app_packages / "thing.py"
    source.write_text("ANSWER = 42\n")
    told: list[str] = []
    compile_all(layout, [layout.app_packages, tmp_path / "missing"], told.append)
    (compiled,) = layout.app_packages.rglob("*.pyc")
    content = compiled.read_bytes()
    assert int.from_bytes(content[4:8], "little") == UNCHECKED_HASH
    assert os.fsencode(tmp_path) not in content
    assert told == []


def test_a_file_that_is_no_python_is_told_and_stops_nothing(tmp_path: Path) -> None:
    layout = BundleLayout(tmp_path)
    layout.app_packages.mkdir()
    (layout.app_packages / "template.py").write_text("{{ not python }}}")
    (layout.app_packages / "thing.py").touch()
    told: list[str] = []
    compile_all(layout, [layout.app_packages], told.append)
    assert len(told) == 1
    assert [path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")] == ["thing"]
