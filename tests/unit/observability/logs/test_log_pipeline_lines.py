"""Lines of the log: what others say in them moves no terminal and forges no line."""

import io
import json
import os
import pty
import sys
from contextlib import suppress

import pytest
import structlog

from deskbus.observability.logs import log_pipeline

HOSTILE = "\x1b]0;owned\x07\x9b2J\x7f\u202e\u200b\u2028\nforged\r"
RAW = {*HOSTILE} - {*"]0;owned2Jforged"}


def log_it() -> None:
    log = structlog.get_logger()
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.warning(HOSTILE, app=HOSTILE, names=[HOSTILE], raw=HOSTILE.encode(), count=3)
        log.exception("failed")


def test_on_a_terminal_control_characters_are_written_as_code_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = pty.openpty()
    with os.fdopen(reading, "rb", buffering=0) as screen:
        with os.fdopen(writing, "w", encoding="utf-8", newline="\n") as terminal:
            monkeypatch.setattr(sys, "stderr", terminal)
            log_pipeline.configure()
            log_it()
        # Linux says so with an error once the other end is closed and all of it is read.
        pieces = []
        with suppress(OSError):
            while piece := screen.read(65536):
                pieces.append(piece)
        shown = b"".join(pieces).decode()
    lines = shown.replace("\r\n", "\n").split("\n")
    assert not RAW & {*"".join(lines)}
    assert "\\u{1b}]0;owned" in lines[0]
    assert "count=3" in lines[0]
    assert any("\\u{1b}]0;owned" in line for line in lines if line.startswith("ValueError"))
    assert any(line.startswith("Traceback") for line in lines)


def test_elsewhere_lines_are_json_that_a_shell_can_pass_on_to_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    log_pipeline.configure()
    log_it()
    first, second = file.getvalue().removesuffix("\n").split("\n")
    assert all(" " <= char <= "~" for char in first + second)
    assert json.loads(first)["app"] == HOSTILE
    assert json.loads(second)["exception"].endswith(HOSTILE)
