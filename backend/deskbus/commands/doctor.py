"""`deskbus doctor`: what works on this machine, as JSON; or how the running backend is, as text."""

import errno
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from deskbus import __version__
from deskbus.commands.backend import open_files
from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import DONE, FAILED, KEEP_PRIVATE, describe
from deskbus.config import VAULT_FOLDER, ConfigError, bundle_folder, load, runtime_dir_for
from deskbus.storage.folder_exposure import exposure
from deskbus.transport.named_pipes.pipe import check_runtime_folder, is_held
from deskbus.transport.named_pipes.pipe_state import UnsafeDirectoryError
from deskbus_protocol.client import Client
from deskbus_protocol.health import HealthResult, Status
from deskbus_protocol.wording.display import visible

Verdict = Literal["ok", "optional", "degraded", "broken"]
"""`optional` is not there and not missed; `degraded` works less well; `broken` stops a start."""

ANSWER_WITHIN_S = 10.0
MIN_FREE_BYTES = 100_000_000

_SIGNS: dict[Status, str] = {"ok": "✓", "degraded": "!", "failed": "✗", "off": "·"}
_MARKS: dict[Verdict, str] = {"ok": "✓", "optional": "·", "degraded": "!", "broken": "✗"}


class DoctorFinding(msgspec.Struct, frozen=True):
    verdict: Verdict
    detail: str


def run(options: Namespace) -> int:
    """Answers with 1 when something is degraded or broken; looks only, and makes nothing."""
    if options.running:
        return _running(options)
    checks: dict[str, Callable[[], DoctorFinding]] = {
        "python": _python,
        "eventLoop": _event_loop,
        "dataFolder": lambda: _data_folder(options.data_dir),
        "runtimeFolder": lambda: _runtime_folder(options.data_dir),
        "backend": lambda: _backend(options.data_dir),
        "configuration": lambda: _configuration(options.config),
        "keychain": lambda: _keychain(options.data_dir),
        "electron": _electron,
        "limits": _limits,
        "locale": _locale,
    }
    findings = {name: _found(check) for name, check in checks.items()}
    report = {"version": __version__, "platform": platform.platform(), "checks": findings}
    facts = [[_MARKS[each.verdict], name, each.detail] for name, each in findings.items()]
    output.emit(report, facts=facts)
    unwell = any(found.verdict in ("degraded", "broken") for found in findings.values())
    return FAILED if unwell else DONE


def _found(check: Callable[[], DoctorFinding]) -> DoctorFinding:
    try:
        return check()
    except OSError as error:
        return DoctorFinding("broken", describe(error).replace("\n", " "))


def _running(options: Namespace) -> int:
    """Answers with 1 where a component is degraded or failed."""
    results: list[HealthResult] = []

    async def ask(client: Client) -> None:
        results.append(
            await client.call("health.get", result=HealthResult, timeout_s=ANSWER_WITHIN_S)
        )

    run_with_client(options, ask)
    (health,) = results
    if output.on_terminal():
        output.write(
            "".join(visible(line) + "\n" for line in as_text(health).rstrip("\n").split("\n"))
        )
    else:
        output.emit(health)
    return DONE if health.status == "ok" else FAILED


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


def _python() -> DoctorFinding:
    place = ", in a bundle" if bundle_folder() else ""
    return DoctorFinding("ok", platform.python_version() + place)


def _event_loop() -> DoctorFinding:
    if importlib.util.find_spec("uvloop"):
        return DoctorFinding("ok", "uvloop")
    return DoctorFinding(
        "optional", "uvloop is not installed; asyncio's own loop is used, and slower"
    )


def _data_folder(data_dir: Path) -> DoctorFinding:
    try_to_write_below(data_dir)
    existing = _existing(data_dir)
    free = shutil.disk_usage(existing).free
    words = f"{data_dir}, {free // 1_000_000} MB free"
    anybody, exposed = exposure(data_dir)
    if exposed:
        return DoctorFinding("broken" if anybody else "degraded", f"{exposed}. {KEEP_PRIVATE}")
    if free < MIN_FREE_BYTES:
        return DoctorFinding("degraded", f"{words}; make room")
    return DoctorFinding("ok", words)


def _runtime_folder(data_dir: Path) -> DoctorFinding:
    if os.name == "nt":
        return DoctorFinding("ok", "named pipes")
    folder = runtime_dir_for(data_dir)
    try:
        check_runtime_folder(folder)
    except FileNotFoundError:
        pass
    except UnsafeDirectoryError as error:
        return DoctorFinding("broken", str(error))
    try_to_write_below(folder)
    return DoctorFinding("ok", f"Unix sockets in {folder}")


def _backend(data_dir: Path) -> DoctorFinding:
    if is_held(runtime_dir_for(data_dir)):
        return DoctorFinding("ok", f"one runs on {data_dir}; a second one can't start there")
    return DoctorFinding("ok", f"none runs on {data_dir}")


def _configuration(path: Path | None) -> DoctorFinding:
    if path is None:
        return DoctorFinding("ok", "none was named (--config)")
    try:
        config = load(path)
    except ConfigError as error:
        return DoctorFinding("broken", str(error))
    return DoctorFinding("ok", f"{path}, {len(config.apps)} apps")


def try_to_write_below(folder: Path) -> None:
    """Raises `OSError` where this user can't make files in `folder`, or can't make `folder`.

    The file of the trial has no name, where the file system can do that, and does not stay.
    """
    existing = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        # Some file systems know no such files, and say of a folder that it is not there.
        cause = error.errno or errno.EACCES
        raise OSError(cause, os.strerror(cause), str(folder)) from None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there; raises `NotADirectoryError`."""
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            return place
        if os.path.lexists(place):
            raise NotADirectoryError(errno.ENOTDIR, "this is not a folder", str(place))
    return Path("/")


def _keychain(data_dir: Path) -> DoctorFinding:
    from deskbus.vault.keys.keychain import probe
    from deskbus.vault.vault import Vault

    state = probe()
    if state.reachable:
        return DoctorFinding("ok", state.detail)
    if Vault(data_dir / VAULT_FOLDER).needs_password:
        return DoctorFinding("ok", "the vault has a master password")
    return DoctorFinding(
        "degraded",
        f"{state.detail}; secrets can't be kept there (deskbus vault change-password helps)",
    )


def _electron() -> DoctorFinding:
    found = os.environ.get("ELECTRON_BIN") or shutil.which("electron")
    if found and Path(found).exists():
        return DoctorFinding("ok", found)
    return DoctorFinding(
        "optional", "neither ELECTRON_BIN nor electron on PATH; a shell brings its own"
    )


def _limits() -> DoctorFinding:
    limits = open_files.limits()
    if limits is None:
        return DoctorFinding("ok", "no limit on open files")
    soft, hard = limits
    words = f"open files {soft} of {hard}"
    if soft < open_files.NEEDED:
        needed = f"a backend needs {open_files.NEEDED} without any app"
        return DoctorFinding("broken", f"{words}; {needed} (ulimit -n 4096)")
    if soft < open_files.RECOMMENDED:
        needed = f"500 apps need at least {open_files.RECOMMENDED}"
        return DoctorFinding("degraded", f"{words}; {needed}")
    return DoctorFinding("ok", words)


def _locale() -> DoctorFinding:
    encoding = sys.getfilesystemencoding()
    if encoding.lower() not in ("utf-8", "utf8"):
        words = f"file names are {encoding} here; output is UTF-8 all the same"
        return DoctorFinding("degraded", f"{words} (LC_ALL=C.UTF-8 helps)")
    return DoctorFinding("ok", "UTF-8")
