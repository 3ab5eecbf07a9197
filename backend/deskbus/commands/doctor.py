"""`deskbus doctor`: what works on this machine, as JSON; or how the running backend is, as text."""

import importlib.util
import os
import platform
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from deskbus import __version__
from deskbus.commands.connected import run_connected
from deskbus.config import runtime_dir_for
from deskbus_protocol.client import Client
from deskbus_protocol.health import HealthResult, Status

Verdict = Literal["ok", "missing", "broken"]

MIN_OPEN_FILES = 1024

_SIGNS: dict[Status, str] = {"ok": "✓", "degraded": "!", "failed": "✗", "off": "·"}


class Finding(msgspec.Struct, frozen=True):
    verdict: Verdict
    detail: str


def run(options: Namespace) -> int:
    """Exits with 1 when something that every shell needs is broken, or no backend runs."""
    if options.running:
        return run_connected(options.data_dir, _tell_running)
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


async def _tell_running(client: Client) -> None:
    sys.stdout.write(as_text(await client.call("health.get", result=HealthResult)))


def as_text(health: HealthResult) -> str:
    """A line for the backend, one a component, and one a breaker that isn't closed."""
    uptime = timedelta(seconds=health.uptime // 1000)
    lines = [f"deskbus {health.version}  {health.status}  up {uptime}  epoch {health.epoch}"]
    width = max((len(name) for name in health.components), default=0)
    for name, component in health.components.items():
        detail = f"  {component.detail}" if component.detail else ""
        lines.append(f"{_SIGNS[component.status]} {name:<{width}}  {component.status:<8}{detail}")
    for name, breaker in health.breakers.items():
        if breaker.state != "closed":
            lines.append(
                f"! {name} is left alone after {breaker.failures} failures; "
                f"tried again in {breaker.wait / 1000:.0f} s"
            )
    return "".join(line.rstrip() + "\n" for line in lines)


def _python() -> Finding:
    return Finding("ok", platform.python_version())


def _event_loop() -> Finding:
    if importlib.util.find_spec("uvloop"):
        return Finding("ok", "uvloop")
    return Finding("missing", "uvloop is not installed; asyncio's own loop is used, and slower")


def _pipes(data_dir: Path) -> Finding:
    if sys.platform == "win32":
        return Finding("ok", "named pipes")
    else:
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
    else:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        words = f"open files {soft} of {hard}"
        if soft < MIN_OPEN_FILES:
            return Finding("broken", f"{words}; 500 apps need at least {MIN_OPEN_FILES}")
        return Finding("ok", words)
