"""Where `deskbus bundle` puts its folder, and what starts the backend in it."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from deskbus.commands import bundle, serve
from deskbus.commands.bundling import interpreter
from deskbus.commands.bundling.layout import BundleLayout
from deskbus.commands.terminal.failures import CommandError
from deskbus.config import BUNDLE_MANIFEST as MANIFEST


def run(out: Path, extras: str | None = None) -> int:
    return bundle.run(Namespace(out=out, requirements=None, extras=extras))


def test_a_folder_with_other_files_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(CommandError, match="has other files in it") as refused:
        run(tmp_path)
    assert refused.value.action
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_and_a_link_are_refused(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.touch()
    else:
        out.symlink_to(tmp_path)
    with pytest.raises(CommandError, match="is no folder"):
        run(out)


def test_a_folder_below_one_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no folder"):
        run(tmp_path / "missing" / "out")


def test_what_fails_leaves_an_earlier_bundle_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: BundleLayout) -> None:
        raise CommandError("no room")

    monkeypatch.setattr(interpreter, "copy_interpreter", fail)
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text("{}")
    with pytest.raises(CommandError, match="no room"):
        run(out)
    assert (out / MANIFEST).read_text() == "{}"
    assert list(tmp_path.iterdir()) == [out]


def test_an_unknown_extra_is_refused_before_anything_is_copied(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no extra 'test'"):
        run(tmp_path / "out", extras="test")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("called", ["direct", "link", "relative"])
def test_the_command_finds_the_python_beside_it(tmp_path: Path, called: str) -> None:
    root = tmp_path / "a folder"
    layout = BundleLayout(root)
    layout.python.parent.mkdir(parents=True)
    layout.python.write_text('#!/bin/sh\nprintf "%s|" "$0" "$@"\n')
    layout.python.chmod(0o755)
    bundle._write_command(layout)
    link = tmp_path / "deskbus-here"
    link.symlink_to(Path(root.name, layout.command.name))
    command = {"direct": str(layout.command), "link": str(link), "relative": "./deskbus"}[called]
    ran = subprocess.run(
        [command, "call", "two words"], cwd=root, capture_output=True, text=True, check=True
    )
    python, *words = ran.stdout.split("|")[:-1]
    assert (root / python).samefile(layout.python)
    assert words == ["-I", "-B", "-m", "deskbus", "call", "two words"]


def test_a_deskbus_that_was_frozen_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(CommandError, match="frozen") as refused:
        serve.run(Namespace())
    assert "deskbus bundle OUT" in refused.value.action
