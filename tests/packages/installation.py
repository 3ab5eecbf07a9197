"""The packages of scripts/packages, installed into empty folders, and used as the README says.

`make packages` runs it; it asks the package indexes, and takes a minute.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from demo.electron import ALLOW, ROOT, electron_session, has_display
from demo.screen import Screen, virtual_display
from tests.support.readme import check_block_without_electron, paste, sample

BUILT = ROOT / "build/packages"
HEADING = "Put it into an existing Electron app"
WITHIN_S = 60.0

PAGE = """<!doctype html>
<meta charset="utf-8" />
<title>Ticker</title>
<p></p>
<script type="module" src="page.js"></script>
"""
SHOW = """
const shown = document.querySelector('p');
const show = (topic, payload) => { shown.textContent = `${topic} ${payload.bid}`; };
"""


def clean_environment() -> dict[str, str]:
    """That of a shell into which no virtual environment was activated."""
    beside = {str(Path(sys.executable).parent), str(ROOT / "electron-bridge/node_modules/.bin")}
    path = [each for each in os.environ["PATH"].split(os.pathsep) if each not in beside]
    left_out = {"VIRTUAL_ENV", "PYTHONPATH", "NODE_PATH"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**kept, "PATH": os.pathsep.join(path), "PYTHON": sys.executable}


def install_commands() -> str:
    commands = sample(HEADING, "sh", containing="pip install")
    assert commands.count("/path/to/deskbus") == 2
    # Another python3 may come first on the path than the one that is tested.
    return commands.replace("/path/to/deskbus", str(ROOT)).replace("python3 ", '"$PYTHON" ', 1)


def guide_feed() -> str:
    """The price feed of the page on apps, as it stands there."""
    guide = (ROOT / "docs/apps.md").read_text("utf-8")
    blocks = guide.split("```python\n")[1:]
    return next(each for each in (block.split("```")[0] for block in blocks)
                if "prices.EURUSD" in each)  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing in it but what the README has one put there."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "package.json").write_text('{ "private": true, "main": "main.js" }')
    codes, _, told = paste(install_commands(), folder, clean_environment())
    assert codes == [0, 0, 0], told
    (folder / "main.js").write_text(sample(HEADING, "js", containing="createShell"))
    (folder / "deskbus.toml").write_text(sample(HEADING, "toml"))
    (folder / "feed.py").write_text(guide_feed())
    (folder / "ticker").mkdir()
    (folder / "ticker/index.html").write_text(PAGE)
    page = sample(HEADING, "js", containing="deskbus.subscribe")
    # Electron 9 has no await at the top of a module.
    (folder / "ticker/page.js").write_text(f"{SHOW}(async () => {{\n{page}}})();\n")
    return folder


@pytest.fixture(scope="module")
async def display() -> AsyncIterator[Screen | None]:
    if sys.platform != "linux" and has_display():
        yield None
        return
    async with virtual_display() as screen:
        yield screen


async def run(command: list[str | Path], folder: Path) -> str:
    with anyio.fail_after(WITHIN_S):
        done = await anyio.run_process(
            [str(word) for word in command], cwd=folder, env=clean_environment(), check=False
        )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


async def test_the_electron_app_of_the_readme_shows_prices_of_its_python_app(
    app: Path, display: Screen | None, tmp_path: Path
) -> None:
    """Both packages, from the files that were built alone."""
    config = app / "deskbus.toml"
    config.write_text("tools = true\n" + config.read_text("utf-8"))
    env = clean_environment()
    async with electron_session(app / "main.js", tmp_path, env=env, display=display) as electron:
        page = await electron.window("ticker/index.html")
        dialog = await electron.dialog()
        await dialog.until(f"document.querySelector('{ALLOW}').disabled === false")
        await dialog.click(ALLOW)
        await run([app / "venv/bin/deskbus", "apps", "launch", "com.example.feed",
                   "--data-dir", tmp_path / "profile/deskbus"], app)  # fmt: skip
        await page.until("/^prices.EURUSD 1/.test(document.querySelector('p').textContent)")


@pytest.fixture(scope="module", params=["*.whl", "deskbus-*.tar.gz"], ids=["wheel", "sdist"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with the core alone in it."""
    (built,) = BUILT.glob(request.param)
    venv = tmp_path_factory.mktemp("venv")
    for words in (("-m", "venv", venv), ("-m", "pip", "--python", venv, "install", built)):
        command = [sys.executable, *map(str, words)]
        subprocess.run(command, env=clean_environment(), check=True, stdout=subprocess.DEVNULL)
    return venv / "bin/python"


def test_the_block_without_electron_works_with_what_was_installed(
    python: Path, tmp_path: Path
) -> None:
    check_block_without_electron(tmp_path, python)
    told = subprocess.run(
        [python, "-I", "-c", "import deskbus; print(deskbus.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert Path(told.strip()).is_relative_to(python.parent.parent)


async def test_what_an_extra_is_for_says_how_to_install_it(python: Path, tmp_path: Path) -> None:
    for section, extra in {"metrics": "metrics", "web": "web", "federation": "nats"}.items():
        config = tmp_path / f"{section}.toml"
        value = {"metrics": "socket = true", "federation": 'name = "here"'}.get(section, "")
        config.write_text(f"[{section}]\n{value}\n")
        command = [str(python.parent / "deskbus"), "serve", "--headless",
                   "--data-dir", str(tmp_path / section), "--config", str(config)]  # fmt: skip
        with anyio.fail_after(WITHIN_S):
            done = await anyio.run_process(command, check=False)
        assert done.returncode == 78
        assert f"pip install 'deskbus[{extra}]'" in done.stderr.decode()


async def test_types_are_found_by_those_who_check_theirs(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from deskbus_protocol.client import Client\n\n\n"
        "async def place(client: Client) -> int:\n"
        "    return (await client.publish('orders.new', 1, confirm=True)).receivers\n"
    )
    with anyio.fail_after(WITHIN_S):
        done = await anyio.run_process(
            [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python),
             "--cache-dir", str(tmp_path / "cache"), str(program)],
            cwd=tmp_path, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()
