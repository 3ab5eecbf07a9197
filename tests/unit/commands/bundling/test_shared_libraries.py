"""Libraries that a bundle ships, and those that are the system's."""

import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from deskbus.commands.bundling import shared_libraries
from deskbus.commands.bundling.layout import BundleLayout, source_interpreter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has ELF")


@pytest.mark.parametrize(
    ("name", "shipped"),
    [
        ("libc.so.6", False),
        ("libc-2.31.so", False),
        ("ld-linux-x86-64.so.2", False),
        ("libstdc++.so.6", False),
        ("libssl.so.3", True),
        ("libcrypt.so.1", True),
        ("libpython3.11.so.1.0", True),
    ],
)
def test_the_c_library_is_the_systems_and_others_are_shipped(name: str, shipped: bool) -> None:
    assert bool(shared_libraries.to_ship([Path("/usr/lib") / name])) is shipped


def test_no_module_is_shipped_whose_library_is_under_the_gpl() -> None:
    modules = shared_libraries.extension_modules(Path(sysconfig.get_path("stdlib")))
    assert {"_ssl", "_sqlite3"} <= set(modules)
    assert set(modules).isdisjoint({"readline", "_gdbm", "_dbm", "_tkinter", "nis", "_testcapi"})


def test_a_library_from_elsewhere_is_found_out(tmp_path: Path) -> None:
    loaded = shared_libraries.loaded_by(source_interpreter(), ["_ssl"])
    strays = shared_libraries.strays(loaded, BundleLayout(tmp_path))
    assert any(path.name.startswith("libssl") for path in strays)
    assert not any(path.name.startswith("libc.") for path in strays)


def test_a_copied_module_looks_for_its_libraries_beside_the_interpreter(tmp_path: Path) -> None:
    (module,) = (Path(sysconfig.get_path("stdlib")) / "lib-dynload").glob("_ssl.*.so")
    copied = tmp_path / "lib/python3/lib-dynload/_ssl.so"
    copied.parent.mkdir(parents=True)
    shutil.copy(module, copied)
    program = tmp_path / "bin/python3"
    program.parent.mkdir()
    shutil.copy(source_interpreter(), program)
    shared_libraries.look_beside([copied, program], tmp_path / "lib")
    found = [shared_libraries._patchelf("--print-rpath", str(each)) for each in (copied, program)]
    assert [text.strip() for text in found] == ["$ORIGIN/../../../lib", "$ORIGIN/../lib"]
