"""The example as each recipe packages it, with the Electron of the tests."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from demo.electron import ROOT, find_electron
from tests.conftest import absent

PACKAGE_WITHIN_S = 300.0
EXAMPLES = ("packaged", "electron-builder", "forge")


class Workshop:
    """A copy of the examples in which npm may install; `bundle` is the backend's.

    What npm installed stays for the next run, unless the lock or the bridge has changed.
    """

    def __init__(self, folder: Path, bundle: Path) -> None:
        self._folder = folder
        self._bundle = bundle
        self._electron = Path(find_electron()).parent
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "electron-bridge").exists():
            (folder / "electron-bridge").symlink_to(ROOT / "electron-bridge")

    def package(self, recipe: str) -> Path:
        """The folder with the packaged app, whose program has the name of the project."""
        return self._builder() if recipe == "electron-builder" else self._forge()

    def _builder(self) -> Path:
        project = self._project("electron-builder")
        npm(project, "run", "build")
        npm(
            project,
            *("exec", "electron-builder", "--", "--config", "electron-builder.config.js"),
            *("--linux", "dir", f"-c.electronVersion={self._version()}"),
            f"-c.electronDist={self._electron}",
        )
        return project / "out/linux-unpacked"

    def _forge(self) -> Path:
        project = self._project("forge")
        version = self._version()
        npm(project, "pkg", "set", f"devDependencies.electron={version}")
        archives = self._folder / "archives"
        archives.mkdir(exist_ok=True)
        archive = archives / f"electron-v{version}-linux-x64.zip"
        if not archive.exists():
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
                for path in self._electron.rglob("*"):
                    file.write(path, path.relative_to(self._electron))
        npm(project, "run", "package", env={"ELECTRON_ZIP_DIR": str(archives)})
        (packaged,) = (project / "out").iterdir()
        return packaged

    def _version(self) -> str:
        return (self._electron / "version").read_text().strip().removeprefix("v")

    def _project(self, recipe: str) -> Path:
        """A recipe's folder with its packages and the backend, and nothing packaged yet."""
        for name in EXAMPLES:
            shutil.copytree(ROOT / "examples" / name, self._at(name), dirs_exist_ok=True)
        project = self._at(recipe)
        shutil.rmtree(project / "out", ignore_errors=True)
        shutil.rmtree(project / "backend", ignore_errors=True)
        stamp, wanted = project / "node_modules/.stamp", digest_of(project)
        if not stamp.is_file() or stamp.read_text() != wanted:
            npm(project, "ci", "--ignore-scripts", "--loglevel=error")
            stamp.write_text(wanted)
        shutil.copytree(self._bundle, project / "backend")
        return project

    def _at(self, name: str) -> Path:
        return self._folder / "examples" / name


def digest_of(project: Path) -> str:
    """Changes with the lock, and with what `deskbus-electron` was built from."""
    bridge = ROOT / "electron-bridge/dist/.stamp"
    return hashlib.sha256(
        (project / "package-lock.json").read_bytes() + bridge.read_bytes()
    ).hexdigest()


def npm(project: Path, *words: str, env: Mapping[str, str] | None = None) -> None:
    found = shutil.which("npm")
    if found is None:
        absent("there is no npm")
    ran = subprocess.run(
        [found, *words],
        cwd=project,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PACKAGE_WITHIN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def name_of(recipe: str) -> str:
    """The name of the packaged program."""
    package = json.loads((ROOT / "examples" / recipe / "package.json").read_text())
    return str(package.get("productName", package["name"]))
