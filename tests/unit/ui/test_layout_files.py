"""Layouts are files that anybody may put there: a pipe, a device, one without end."""

import os
import sys
from pathlib import Path

import pytest

from deskbus.ui import layout_files as module
from deskbus.ui.layout_files import LayoutFiles
from deskbus_protocol.errors import DEGRADED, INVALID_PARAMS, DeskbusError
from deskbus_protocol.layouts import Layout


@pytest.fixture
def files(tmp_path: Path) -> LayoutFiles:
    return LayoutFiles(tmp_path)


def test_a_layout_that_was_written_is_read_again_and_written_over(files: LayoutFiles) -> None:
    for saved_at in (1, 2):
        files.write("desk", Layout(saved_at=saved_at))
        assert files.read("desk").saved_at == saved_at


@pytest.mark.skipif(sys.platform == "win32", reason="it has no pipes among its files")
def test_a_pipe_in_a_layouts_place_is_neither_read_nor_written_over(files: LayoutFiles) -> None:
    os.mkfifo(files.path_of("desk"))
    with pytest.raises(DeskbusError) as read:
        files.read("desk")
    with pytest.raises(DeskbusError) as written:
        files.write("desk", Layout())
    assert read.value.kind is written.value.kind is DEGRADED
    assert files.path_of("desk").is_fifo()


def test_a_file_larger_than_any_layout_is_neither_read_nor_written_over(
    files: LayoutFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1_000)
    files.path_of("desk").write_bytes(b" " * 1_001)
    with pytest.raises(DeskbusError) as read:
        files.read("desk")
    with pytest.raises(DeskbusError) as written:
        files.write("desk", Layout())
    assert read.value.kind is written.value.kind is DEGRADED
    assert "larger" in written.value.message


def test_an_error_in_a_layout_names_its_file_and_no_folder_of_the_machine(
    files: LayoutFiles,
) -> None:
    files.path_of("desk").write_text('{"version": 1,\n "apps": 1}')
    with pytest.raises(DeskbusError) as refused:
        files.read("desk")
    assert refused.value.kind is INVALID_PARAMS
    assert files.path_of("desk").name in refused.value.message
    assert str(files.path_of("desk").parent) not in refused.value.message
