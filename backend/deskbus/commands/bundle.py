"""`deskbus bundle`: a folder with Python, deskbus and all they need, to be shipped with an app."""

import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from deskbus import __version__
from deskbus.commands.bundling import distributions, interpreter
from deskbus.commands.bundling.contents import WORDS, BundleContents, survey_bundle
from deskbus.commands.bundling.layout import BundleLayout
from deskbus.commands.bundling.verification import verify
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import CommandError
from deskbus.config import BUNDLE_MANIFEST
from deskbus_protocol import PROTOCOL_VERSION

SITE_PACKAGES = "import site; print(site.getsitepackages()[-1])"

_COMMAND = """\
#!/bin/sh
# deskbus, run by the Python that lies beside it, wherever this folder is.
self=$0
case $self in */*) ;; *) self=./$self ;; esac
while [ -L "$self" ]; do
    target=$(readlink "$self")
    case $target in /*) self=$target ;; *) self=${self%/*}/$target ;; esac
done
exec "${self%/*}/bin/python3" -I -B -m deskbus "$@"
"""

_WINDOWS_COMMAND = '@"%~dp0python.exe" -I -B -m deskbus %*\r\n'


class BundleManifest(msgspec.Struct, frozen=True, rename="camel"):
    """The file beside the command, for who packages, signs or updates the bundle.

    `packages` and `app_packages` are versions by name; `native` are paths of compiled programs and
    libraries, in the order in which they are signed.
    """

    deskbus: str
    protocol: str
    python: str
    platform: str
    packages: dict[str, str]
    app_packages: dict[str, str]
    native: list[str]


def run(options: Namespace) -> int:
    """Leaves nothing at OUT unless the bundle works."""
    target = options.out.absolute()
    _check_target(target)
    chosen = list(distributions.needed(_names(options.extras)).values())
    with _folder_beside(target) as root:
        layout = BundleLayout(root)
        output.tell(f"Copying Python {platform.python_version()} from {sys.base_prefix} …")
        interpreter.copy_interpreter(layout)
        packages = Path(interpreter.ask(layout, SITE_PACKAGES))
        output.tell(f"Copying deskbus {__version__} and {len(chosen) - 1} packages that it needs …")
        distributions.copy_distributions(chosen, packages)
        interpreter.strip_packages(packages, layout)
        layout.app_packages.mkdir()
        if options.requirements is not None:
            output.tell(f"Installing what {options.requirements} names …")
            distributions.install_for_apps(options.requirements, chosen, layout)
        output.tell("Compiling …")
        interpreter.compile_all(
            layout, [layout.standard_library, packages, layout.app_packages], output.tell
        )
        _write_command(layout)
        contents = survey_bundle(layout, packages)
        _write_manifest(layout, packages, contents)
        output.tell("Starting it where there is no other Python …")
        took_s = verify(layout)
        _put(root, target)
    _report(target, contents, took_s)
    return 0


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name for name in text.split(",") if name]


def _check_target(target: Path) -> None:
    """Raises `CommandError` where something else is there; an earlier bundle is replaced."""
    if not os.path.lexists(target):
        if not target.parent.is_dir():
            raise CommandError(f"{target.parent} is no folder", "Make it first.")
        return
    if target.is_symlink() or not target.is_dir():
        raise CommandError(f"{target} is no folder", "Name one that is not there yet.")
    if any(target.iterdir()) and not (target / BUNDLE_MANIFEST).is_file():
        raise CommandError(
            f"{target} has other files in it", "Name a folder that is empty or not there yet."
        )
    here = Path(sys.prefix).resolve()
    if here.is_relative_to(target.resolve()):
        raise CommandError(f"{target} is what runs now", "Name another folder.")


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A new folder on the same file system, which is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        root = folder / target.name
        root.mkdir()
        yield root
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(root: Path, target: Path) -> None:
    """Puts the finished folder in its place; what was there goes with the temporary one."""
    if target.exists():
        target.rename(root.with_name("before"))
    root.rename(target)


def _write_command(layout: BundleLayout) -> None:
    if layout.command.suffix == ".cmd":
        layout.command.write_text(_WINDOWS_COMMAND, newline="")
    else:
        layout.command.write_text(_COMMAND)
        layout.command.chmod(0o755)


def _write_manifest(layout: BundleLayout, packages: Path, contents: BundleContents) -> None:
    manifest = BundleManifest(
        deskbus=__version__,
        protocol=PROTOCOL_VERSION,
        python=platform.python_version(),
        platform=sysconfig.get_platform(),
        packages=distributions.versions_in(packages),
        app_packages=distributions.versions_in(layout.app_packages),
        native=contents.native,
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    layout.manifest.write_bytes(text + b"\n")


def _report(target: Path, contents: BundleContents, took_s: float) -> None:
    result = {
        "bundle": str(target),
        "bytes": contents.bytes,
        "parts": contents.parts,
        "large": contents.large,
        "firstAnswerMs": round(took_s * 1000),
    }
    facts = [[name, _megabytes(part.bytes), WORDS[name]] for name, part in contents.parts.items()]
    facts += [["", _megabytes(size), name] for name, size in contents.large.items()]
    compiled = sum(part.compiled_bytes for part in contents.parts.values())
    facts += [
        ["all", _megabytes(contents.bytes), f"of it compiled Python: {_megabytes(compiled)}"],
        ["start", f"{took_s * 1000:.0f} ms", f"to the first answer of {target}"],
    ]
    output.emit(result, facts=facts)


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"
