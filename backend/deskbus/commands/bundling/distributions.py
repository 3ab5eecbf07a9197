"""The packages of a bundle: deskbus, what it needs, and what the apps need beside it."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from deskbus.commands.bundling.layout import APP_PACKAGES, BundleLayout
from deskbus.commands.terminal.failures import CommandError

OWN = "deskbus"
OWN_PACKAGES = ("deskbus", "deskbus_protocol")
NOT_FOR_USERS = frozenset({"all", "bundle", "dev", "docs", "test"})
"""Extras of deskbus for who builds and tests it, and the one that names others."""

OF_INSTALLERS = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
"""Files of a distribution's metadata about how and where it was installed."""

INSTALL_WITHIN_S = 900.0

PATH_FILE = f"{OWN}-{APP_PACKAGES}.pth"
PATH_LINE = (
    f"import os, sys; "
    f"sys.flags.isolated or sys.path.append(os.path.join(sys.prefix, {APP_PACKAGES!r}))\n"
)
"""Apps run without Python's -I, and find their packages behind those of the backend. That runs with
it, and never imports theirs; see the module site.
"""


def needed(extras: Collection[str] | None) -> dict[str, Distribution]:
    """Every distribution that deskbus needs, by name; with all extras that are installed, or those.

    Raises `CommandError` where one is missing.
    """
    own = _distribution(OWN)
    offered = set(own.metadata.get_all("Provides-Extra") or ()) - NOT_FOR_USERS
    unknown = sorted(set(extras or ()) - offered)
    if unknown:
        raise CommandError(
            f"deskbus has no extra {unknown[0]!r} that a bundle could have",
            f"There are: {', '.join(sorted(offered))}.",
        )
    found = _closure(OWN, frozenset())
    for extra in sorted(offered if extras is None else extras):
        try:
            found |= _closure(OWN, frozenset({extra}))
        except _MissingError as error:
            if extras is not None:
                raise CommandError(
                    f"{error} is not installed, which the extra {extra} needs",
                    f"pip install 'deskbus[{extra}]' brings it.",
                ) from None
    return found


class _MissingError(CommandError):
    pass


def _closure(root: str, root_extras: frozenset[str]) -> dict[str, Distribution]:
    try:
        from packaging.requirements import Requirement
        from packaging.utils import canonicalize_name
    except ImportError:
        raise CommandError(
            "packaging is not installed", "pip install 'deskbus[bundle]' brings what this needs."
        ) from None

    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(root, root_extras)]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = _distribution(name)
        for line in found[name].requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in extras or ("",)):
                wanted = canonicalize_name(requirement.name)
                waiting.append((wanted, frozenset(requirement.extras)))
    return found


def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise _MissingError(name) from None


def copy_distributions(chosen: Collection[Distribution], into: Path) -> None:
    """Copies what pip has installed of each, without its commands; raises `CommandError`."""
    for each in chosen:
        files = each.files
        name = each.metadata["Name"]
        if files is None:
            raise CommandError(
                f"{name} has no list of its files",
                "Run this with the Python of a venv into which pip has installed deskbus.",
            )
        for file in files:
            unwanted = ".." in file.parts or file.is_absolute() or "__pycache__" in file.parts
            described = len(file.parts) == 2 and file.parts[0].endswith(".dist-info")
            if unwanted or file.suffix == ".pth" or (described and file.name in OF_INSTALLERS):
                continue
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(each.locate_file(file)), target)
    for package in OWN_PACKAGES:
        # From where it is imported, which for one who works on it is no site-packages.
        shutil.copytree(
            _folder_of(package),
            into / package,
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    (into / PATH_FILE).write_text(PATH_LINE)


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def install_for_apps(
    requirements: Path, chosen: Collection[Distribution], layout: BundleLayout
) -> None:
    """Has pip install what apps need, in versions that go with those of the backend.

    Apps use both. Raises `CommandError`; pip's own words are on standard error.
    """
    if not requirements.is_file():
        raise CommandError(f"{requirements}: there is no such file", "Name a requirements.txt.")
    if importlib.util.find_spec("pip") is None:
        raise CommandError(
            "pip is not installed here, and --requirements needs it", "python -m ensurepip"
        )
    constraints = layout.root / "constraints.txt"
    constraints.write_text("".join(f"{each.metadata['Name']}=={each.version}\n" for each in chosen))
    command = [
        *(sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-input"),
        *("--disable-pip-version-check", "--no-compile", "--only-binary", ":all:"),
        *("--target", str(layout.app_packages), "--constraint", str(constraints)),
        *("--requirement", str(requirements)),
    ]
    try:
        subprocess.run(command, stdout=2, timeout=INSTALL_WITHIN_S, check=True)
    except subprocess.SubprocessError:
        raise CommandError(
            f"pip could not install what {requirements} names",
            "Its words are above. The bundle's own packages bound the versions: "
            + ", ".join(sorted(f"{each.metadata['Name']} {each.version}" for each in chosen)),
        ) from None
    finally:
        constraints.unlink()
    # Commands of packages name the interpreter that installed them, by its path.
    shutil.rmtree(layout.app_packages / "bin", ignore_errors=True)


def versions_in(folder: Path) -> dict[str, str]:
    """The name and version of each distribution that a folder holds."""
    return dict(sorted(_found_in(folder)))


def _found_in(folder: Path) -> Iterator[tuple[str, str]]:
    for each in distributions(path=[str(folder)]):
        yield each.metadata["Name"], each.version
