"""Commands of the pages for users, pasted into bash as they stand."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.support.readme import paste
from tests.support.samples import sample_of

UNANCHORED, DEGRADED = 3, 1
CONFIG = """
tools = true
[persistence]
topics = ["orders.#"]
[metrics]
socket = true
[[apps]]
id = "com.example.ticker"
name = "Ticker"
declares = [{ permission = "messaging.read", scope = "prices.#" }]
"""

MANIFEST = '{"id": "com.example.feed", "name": "Feed", "windows": [{"url": "index.html"}]}'


def environment(folder: Path) -> dict[str, str]:
    folder.chmod(0o700)
    python = Path(sys.executable).parent
    return {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(folder),
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if sys.platform == "win32" or shutil.which("bash") is None:
        absent("there is no bash here")
    return tmp_path


def test_the_first_hour_goes_as_the_page_says(folder: Path) -> None:
    page = "docs/getting-started.md"
    (folder / "deskbus.toml").write_text(sample_of(page, "com.example.hello"))
    (folder / "hello.py").write_text(sample_of(page, "run_as_app"))
    codes, out, told = paste(sample_of(page, "deskbus sub"), folder, environment(folder))
    assert codes == [0, 0, 0, 0, UNANCHORED], told
    messages = [line for line in out.splitlines() if '"hello.world"' in line]
    assert len(messages) == 2
    assert all(json.loads(line)["sender"]["app"] == "com.example.hello" for line in messages)


BLOCKS = {
    "the operator's guide": ("docs/operators.md", "doctor --running"),
    "metrics": ("docs/observability.md", "deskbus metrics delivery"),
    "levels of the log": ("docs/observability.md", "deskbus log-level debug"),
    "the archive for who helps": ("docs/observability.md", "deskbus support"),
    "the audit log": ("README.md", "deskbus audit report"),
    "rules": ("README.md", "deskbus policy check"),
    "signatures": ("docs/permissions.md", "publisher keygen"),
}


def test_the_operators_commands_answer(folder: Path) -> None:
    """All of them in one backend, which takes most of the time."""
    (folder / "deskbus.toml").write_text(CONFIG)
    (folder / "policy.toml").write_text(sample_of("docs/configuration.md", "[[rules]]"))
    (folder / "app").mkdir()
    (folder / "app/app.json").write_text(MANIFEST)
    (folder / "app/index.html").write_text("<title>Feed</title>")
    blocks = "".join(sample_of(*block) for block in BLOCKS.values())
    # The page has a name in capitals where it means one of the reader's.
    lines = blocks.replace("explain APP", "explain com.example.ticker").strip().splitlines()
    script = "\n".join(["deskbus serve --headless --consent deny --config deskbus.toml &", *lines])
    codes, _, told = paste(script, folder, environment(folder))
    assert "Traceback" not in told
    for line, code in zip(["serve", *lines], codes, strict=True):
        allowed = {0}
        if "audit" in line:
            allowed = {0, UNANCHORED}
        elif "doctor" in line:
            allowed = {0, DEGRADED}
        assert code in allowed, f"{line}: {code}\n{told}"
    assert (folder / "january.html").stat().st_size > 1000
    assert len(list(folder.glob("*.tar.gz"))) == 1
