"""`deskbus doctor`: what works on this machine, as JSON."""

import importlib.util
import os
import platform
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from deskbus import __version__
from deskbus.config import runtime_dir_for

Verdict = Literal["ok", "missing", "broken"]


MIN_OPEN_FILES = 1024


class Finding(msgspec.Struct, frozen=True):
    verdict: Verdict
    detail: str


def run(options: Namespace) -> int:
    """Exits with 1 when something that every shell needs is broken."""
    checks: dict[str, Callable[[], Finding]] = {
        "python": _python,
        "eventLoop": _event_loop,
        "pipes": lambda: _pipes(options.data_dir),
        "keychain": _keychain,
        "electron": _electron,
        "limits": _limits,
    }
    findings = {name: check() for name, check in checks.items()}
    report = {"version": __version__, "platform": platform.platform(), "checks": findings}
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    return 1 if any(found.verdict == "broken" for found in findings.values()) else 0


def _python() -> Finding:
    return Finding("ok", platform.python_version())


def _event_loop() -> Finding:
    if importlib.util.find_spec("uvloop"):
        return Finding("ok", "uvloop")
    return Finding("missing", "uvloop is not installed; asyncio's own loop is used, and slower")


def _pipes(data_dir: Path) -> Finding:
    if os.name == "nt":
        return Finding("ok", "named pipes")
    from deskbus.transport.pipe import UnsafeDirectoryError
    from deskbus.transport.unix import prepare_directory

    folder = runtime_dir_for(data_dir)
    try:
        prepare_directory(folder)
    except (OSError, UnsafeDirectoryError) as error:
        return Finding("broken", str(error))
    return Finding("ok", f"Unix sockets in {folder}")


def _keychain() -> Finding:
    from deskbus.vault.keychain import probe

    state = probe()
    if state.reachable:
        return Finding("ok", state.detail)
    return Finding(
        "missing",
        f"{state.detail}; secrets can't be kept there (deskbus vault change-password helps)",
    )


def _electron() -> Finding:
    found = os.environ.get("ELECTRON_BIN") or shutil.which("electron")
    if found and Path(found).exists():
        return Finding("ok", found)
    return Finding("missing", "neither ELECTRON_BIN nor electron on PATH; a shell brings its own")


def _limits() -> Finding:
    if sys.platform == "win32":
        return Finding("ok", "no limit on open files")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    words = f"open files {soft} of {hard}"
    if soft < MIN_OPEN_FILES:
        return Finding("broken", f"{words}; 500 apps need at least {MIN_OPEN_FILES}")
    return Finding("ok", words)
