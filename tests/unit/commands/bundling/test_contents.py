"""The contents of a finished bundle, as they are told."""

from pathlib import Path

from deskbus.commands.bundling.contents import survey_bundle
from deskbus.commands.bundling.layout import BundleLayout

ELF = b"\x7fELF"


def test_every_file_counts_for_one_part_and_programs_are_listed_from_the_inside(
    tmp_path: Path,
) -> None:
    layout = BundleLayout(tmp_path)
    packages = layout.standard_library / "site-packages"
    files = {
        layout.python: ELF + bytes(96),
        layout.libraries / "libpython3.11.so.1.0": ELF + bytes(196),
        layout.libraries / "libssl.so.3": ELF + bytes(46),
        layout.standard_library / "os.py": bytes(10),
        layout.standard_library / "__pycache__/os.pyc": bytes(5),
        layout.standard_library / "lib-dynload/_ssl.so": ELF,
        packages / "deskbus/cli.py": bytes(20),
        packages / "big/core.so": ELF + bytes(1_000_000),
        packages / "small.py": bytes(3),
        layout.app_packages / "numpy/core.so": ELF + bytes(16),
        layout.command: b"#!/bin/sh",
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    contents = survey_bundle(layout, packages)
    assert {name: (part.bytes, part.files) for name, part in contents.parts.items()} == {
        "interpreter": (300, 2),
        "libraries": (50, 1),
        "standardLibrary": (19, 3),
        "deskbus": (20, 1),
        "dependencies": (1_000_007, 2),
        "appPackages": (20, 1),
        "other": (9, 1),
    }
    assert contents.parts["standardLibrary"].compiled_bytes == 5
    assert contents.bytes == sum(map(len, files.values()))
    assert contents.large == {"big": 1_000_004}
    assert contents.native[-1] == "bin/python3"
    depths = [name.count("/") for name in contents.native[:-1]]
    assert depths == sorted(depths, reverse=True)
    assert len(contents.native) == 6
