"""Apps that were installed: checked, kept privately, and there again after a restart."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from deskbus.processes.installed_apps import FILE_NAME, InstalledApps, WrittenManifest
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.manifest import Limits, Manifest

MANIFEST = {
    "id": "desk.sample",
    "name": "Sample",
    "version": "1.2",
    "publisher": "Desk tools",
    "windows": [{"url": "index.html"}],
    "process": {"kind": "python", "entry": "sample.py", "env": {"APP_EXCHANGE": "XETRA"}},
}


def apps_in(data_dir: Path) -> InstalledApps:
    return InstalledApps(data_dir, hash_of_nothing)


def hash_of_nothing(_: WrittenManifest, manifest: Manifest, folder: Path) -> str:
    """Stands for the inspection of an app's files, which is the caller's."""
    return "0" * 64


def write(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text("<h1>Sample</h1>")
    (folder / "sample.py").write_text("pass")
    path = folder / "app.json"
    path.write_text(json.dumps({**MANIFEST, **changes}))
    return path


async def test_an_installed_app_is_there_after_a_restart(tmp_path: Path) -> None:
    installed = apps_in(tmp_path)
    app = await installed.read(write(tmp_path / "sample"))
    await installed.add(app)
    await installed.set_limits("desk.sample", Limits(memory_mb=64))
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    again = apps_in(tmp_path)
    again.load()
    assert again.apps == [app]
    assert again.limits_of("desk.sample") == Limits(memory_mb=64)
    await again.remove("desk.sample")
    assert again.find("desk.sample") is None
    assert again.limits_of("desk.sample") is None
    with pytest.raises(DeskbusError, match="not installed"):
        await again.remove("desk.sample")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unheard_of": 1}, "no such key"),
        ({"id": "Not An Id"}, "the right form"),
        ({"limits": {"memory_mb": 1}}, "limits.memory_mb"),
        ({"windows": [], "process": None}, "Expected `object`, got `null`"),
        ({"windows": [{"url": "index.html"}, {"url": "index.html"}]}, "one name"),
        (
            {"process": {"entry": "x", "env": {"LD_PRELOAD": "x", "PYTHONPATH": "y"}}},
            "may not set LD_PRELOAD, PYTHONPATH",
        ),
        ({"process": {"entry": "x", "env": {"EXCHANGE": "XETRA"}}}, "may not set EXCHANGE"),
        ({"windows": [{"url": "index.html", "name": "main"}]}, "the app's process"),
    ],
)
async def test_a_manifest_that_is_none_is_refused_in_words(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(DeskbusError, match=words):
        await apps_in(tmp_path).read(write(tmp_path / "sample", **changes))


@pytest.mark.parametrize(
    ("text", "words", "action"),
    [
        ("{\n\n", "app.json:3: It is not JSON", "double quotes"),
        ('{"id": "a.b",\n "name": oops}', "app.json:2: It is not JSON", "double quotes"),
        ('{"id": "a.b", "name": "A",\n"windws": []}', "app.json:2: windws", "mean windows"),
        (
            '{"id": "a.b", "name": "A", "windows": [\n{"url": "a"},\n{"url": "b",\n"width": "x"}]}',
            "app.json:4: windows[1].width: Expected `int`",
            "Correct the value",
        ),
        ('{"id": "a.b",\n"windows": [\n{}]}', "app.json:3: windows[0]: url is missing", "Add url"),
        (
            (
                '{"id": "a.b", "name": "A", "windows": [{"url": "a", "name": "x"}, {"url": "b",\n'
                '"name": "x"}]}'
            ),
            "app.json:2: windows[1].name: two windows have one name, x",
            "name of its own",
        ),
        (
            (
                '{"id": "a.b", "name": "A", "windows": [{"url": "a",\n"name": "main"}],'
                '"process": {"entry": "a"}}'
            ),
            'app.json:2: windows[0].name: a window may not be called "main"',
            "another name",
        ),
        (
            (
                '{"id": "a.b", "name": "A", "process": {"entry": "a", "env": {\n"APP_A": "",'
                '\n"PATH": "b"}}}'
            ),
            "app.json:3: process.env.PATH: a manifest may not set PATH",
            "APP_",
        ),
        ('{"id": "a.b", "name": "A"}', "app.json: this app has neither a window", "Add windows"),
    ],
)
async def test_a_mistake_in_a_manifest_is_told_with_its_line_and_what_was_meant(
    tmp_path: Path, text: str, words: str, action: str
) -> None:
    path = tmp_path / "app.json"
    path.write_text(text)
    with pytest.raises(DeskbusError) as failed:
        await apps_in(tmp_path).read(path)
    assert words in failed.value.message
    assert action in failed.value.action


async def test_an_app_must_consist_of_something(tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    path.write_text('{"id": "desk.empty", "name": "Empty"}')
    with pytest.raises(DeskbusError, match="neither a window nor a process"):
        await apps_in(tmp_path).read(path)


@pytest.mark.parametrize("path", ["relative.json", "/no/such/manifest.json"])
async def test_a_manifest_that_is_not_there_is_told(tmp_path: Path, path: str) -> None:
    with pytest.raises(DeskbusError):
        await apps_in(tmp_path).read(Path(path))


def test_a_damaged_record_is_set_aside_and_nothing_is_installed(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("{")
    installed = apps_in(tmp_path)
    installed.load()
    assert installed.apps == []
    assert installed.problem
    assert not (tmp_path / FILE_NAME).exists()
