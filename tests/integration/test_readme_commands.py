"""The blocks of commands in the README, pasted into bash as they stand."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import absent

README = Path(__file__).resolve().parents[2] / "README.md"


def block_of(heading: str) -> str:
    section = README.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")
def test_the_block_without_electron_works_as_it_is_pasted(tmp_path: Path) -> None:
    block = block_of("Without Electron")
    assert block.startswith("deskbus serve --headless")
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    tmp_path.chmod(0o700)
    # Typed line by line, so each code is seen; `$?` of the last says what doctor found.
    script = "".join(f'{line}\necho "code $?" >&2\n' for line in block.strip().splitlines())
    try:
        process = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=tmp_path,
            start_new_session=True,
        )
    except FileNotFoundError:
        absent("there is no bash here")
    try:
        out, err = process.communicate(f"{script}kill $(jobs -p)\nwait\n".encode(), timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    codes = [int(code) for code in re.findall(rb"^code (\d+)$", err, re.MULTILINE)]
    told = err.decode()
    assert codes[:-1] == [0] * (len(codes) - 1), told
    assert "no backend" not in told
    assert "Traceback" not in told
    results = [json.loads(line) for line in out.decode().split("\n") if line]
    assert any(result.get("ready") for result in results)
    assert any("receivers" in result for result in results)
    assert any(result.get("findings") == [] for result in results)
    assert any("checks" in result for result in results)
