"""The content of a finished bundle: how large each part is, and which files are to be signed."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deskbus.commands.bundling.distributions import OWN_PACKAGES
from deskbus.commands.bundling.layout import BundleLayout

MAGICS = (
    b"\x7fELF",
    b"MZ",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xca\xfe\xba\xbf",
)
"""The first bytes of compiled programs and libraries: ELF, PE, Mach-O for one machine or more."""

LARGE_BYTES = 1_000_000

WORDS = {
    "interpreter": "Python itself",
    "libraries": "the system's libraries that Python's modules load, such as OpenSSL and SQLite",
    "standardLibrary": "the modules that come with Python, as source and compiled",
    "deskbus": "the backend and the protocol, as source and compiled",
    "dependencies": "what the backend needs",
    "appPackages": "what only apps import",
    "other": "the command and the list of what is here",
}


class BundlePart(msgspec.Struct, frozen=True):
    """`compiled_bytes` are those among `bytes` that are compiled Python (.pyc)."""

    bytes: int = 0
    compiled_bytes: int = 0
    files: int = 0


class BundleContents(msgspec.Struct, frozen=True):
    """`native` are paths of compiled programs and libraries, the innermost first, Python last."""

    parts: dict[str, BundlePart]
    large: dict[str, int]
    native: list[str]

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts.values())


def survey_bundle(layout: BundleLayout, packages: Path) -> BundleContents:
    """Looks at every file; `packages` is the bundle's site-packages."""
    parts = dict.fromkeys(WORDS, BundlePart())
    large: dict[str, int] = {}
    native: list[Path] = []
    for path in _files(layout.root):
        size = path.stat().st_size
        part = _part_of(path, layout, packages)
        before = parts[part]
        parts[part] = BundlePart(
            before.bytes + size,
            before.compiled_bytes + (size if path.suffix == ".pyc" else 0),
            before.files + 1,
        )
        if part in ("dependencies", "appPackages"):
            home = packages if part == "dependencies" else layout.app_packages
            name = path.relative_to(home).parts[0]
            large[name] = large.get(name, 0) + size
        if _is_native(path):
            native.append(path)
    native.sort(key=lambda path: (path == layout.python, -len(path.parts), path))
    ranked = sorted(large.items(), key=lambda item: -item[1])
    return BundleContents(
        {name: part for name, part in parts.items() if part.files},
        {name: size for name, size in ranked if size >= LARGE_BYTES},
        [path.relative_to(layout.root).as_posix() for path in native],
    )


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in sorted(names))


def _part_of(path: Path, layout: BundleLayout, packages: Path) -> str:
    if path.is_relative_to(layout.app_packages):
        return "appPackages"
    if path.is_relative_to(packages):
        return "deskbus" if path.relative_to(packages).parts[0] in OWN_PACKAGES else "dependencies"
    if path.is_relative_to(layout.standard_library):
        return "standardLibrary"
    if path == layout.python or path.name.lower().startswith(("libpython", "python3")):
        return "interpreter"
    return "libraries" if _is_native(path) else "other"


def _is_native(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith(MAGICS)
