"""A copy of the running interpreter with its standard library, which runs wherever it is put."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path

from deskbus.commands.bundling import shared_libraries
from deskbus.commands.bundling.layout import MOVABLE, BundleLayout, source_interpreter
from deskbus.commands.terminal.failures import CommandError

ANSWER_WITHIN_S = 30.0

LEFT_OUT = frozenset({
    "__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo",
    "turtle.py", "tkinter", "ensurepip", "lib2to3", "pydoc_data", "sitecustomize.py",
    "usercustomize.py", "EXTERNALLY-MANAGED",
})  # fmt: skip
"""Parts of a standard library that no backend and no app on a desk needs, or that are settings of
the machine on which the bundle is made.
"""


def copy_interpreter(layout: BundleLayout) -> None:
    """Raises `CommandError`, `OSError`."""
    source = source_interpreter()
    shutil.copytree(
        sysconfig.get_path("stdlib"), layout.standard_library, ignore=_left_out, symlinks=False
    )
    if os.name == "nt":
        _copy_as_on_windows(source, layout)
        return
    layout.python.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, layout.python)
    if sys.platform == "linux":
        _gather_libraries(source, layout)
    else:
        for library in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython3.*.dylib"):
            shutil.copy2(library, layout.libraries)
    _check_place(layout)


def _left_out(folder: str, names: Iterable[str]) -> set[str]:
    """The names in a folder that are not to be copied."""
    modules = Path(folder).name == "lib-dynload"
    return {
        name
        for name in names
        if name in LEFT_OUT
        or name.startswith("config-")
        or (modules and shared_libraries.LEFT_OUT.fullmatch(name.partition(".")[0]))
    }


def _copy_as_on_windows(source: Path, layout: BundleLayout) -> None:
    """Python for Windows looks beside itself, so its folder is copied as it is."""
    shutil.copy2(source, layout.python)
    for library in source.parent.glob("*.dll"):
        shutil.copy2(library, layout.root)
    shutil.copytree(source.parent / "DLLs", layout.root / "DLLs", ignore=_left_out)


def _gather_libraries(source: Path, layout: BundleLayout) -> None:
    """Copies what the interpreter and its modules load, but for the system's own."""
    modules = shared_libraries.extension_modules(layout.standard_library)
    loaded = shared_libraries.loaded_by(source, modules)
    libraries = []
    for path in shared_libraries.to_ship(loaded):
        libraries.append(layout.libraries / shared_libraries.name_of(path))
        shutil.copy2(path.resolve(), libraries[-1])
        libraries[-1].chmod(0o755)
    own = [layout.python, *sorted((layout.standard_library / "lib-dynload").glob("*.so"))]
    shared_libraries.strip([*own, *libraries])
    shared_libraries.look_beside([*own, *libraries], layout.libraries)
    strays = shared_libraries.strays(shared_libraries.loaded_by(layout.python, modules), layout)
    if strays:
        raise CommandError(f"the copied interpreter loads {strays[0]} from outside of it", MOVABLE)


def strip_packages(packages: Path, layout: BundleLayout) -> None:
    """Takes debugging symbols out of the backend's packages, and checks that each module loads.

    Wheels with symbols are several times as large as without. Linux only. Raises `CommandError`.
    """
    if sys.platform == "linux":
        modules = sorted(path for path in packages.rglob("*.so*") if path.is_file())
        shared_libraries.strip(modules)
        ask(
            layout,
            f"import ctypes\nfor path in {[str(each) for each in modules]!r}:\n ctypes.CDLL(path)",
        )


def _check_place(layout: BundleLayout) -> None:
    """Raises `CommandError` where the copy takes another folder for its own."""
    prefix = ask(layout, "import sys; print(sys.prefix)")
    if Path(prefix).resolve() != layout.root.resolve():
        raise CommandError(
            f"a copy of this Python still looks for its library in {prefix}", MOVABLE
        )


def bare_environment(home: Path) -> dict[str, str]:
    """An environment in which no Python, library or setting of this machine can be found."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return {"PATH": "", "HOME": str(home), **kept}


def ask(layout: BundleLayout, program: str, *, isolated: bool = True) -> str:
    """The line that a program prints in the bundle's interpreter; raises `CommandError`."""
    flags = ["-I"] if isolated else ["-s", "-B"]
    try:
        ran = subprocess.run(
            [str(layout.python), *flags, "-c", program],
            env=bare_environment(layout.root),
            cwd=layout.root,
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().rpartition("\n")[2]
        raise CommandError(f"the bundle's interpreter failed: {last}") from None
    except subprocess.TimeoutExpired:
        raise CommandError("the bundle's interpreter does not answer") from None
    return ran.stdout.strip()


def compile_all(layout: BundleLayout, folders: Iterable[Path], tell: Callable[[str], None]) -> None:
    """Compiles every module; a compiled file counts whatever time its source has.

    Installers and archives change files' times, and a folder of programs is often read-only: a
    start would then compile everything anew, or write into a folder that is signed (PEP 552).
    """
    import compileall
    import py_compile

    for folder in folders:
        if not folder.exists():
            continue
        compiled = compileall.compile_dir(
            folder,
            quiet=2,
            workers=0,
            stripdir=str(layout.root),
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        if not compiled:
            # Packages may hold templates that are no Python, for other versions for instance.
            tell(f"{folder.name}: not all files are Python of this version")
