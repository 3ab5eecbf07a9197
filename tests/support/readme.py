"""The samples of the README, and a shell that they are pasted into."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from demo.electron import ROOT

README = ROOT / "README.md"
LIMIT_S = 120


def sample(heading: str, language: str, *, containing: str = "") -> str:
    """The first block of code of a language, with those words, in a section."""
    section = README.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    for block in re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL):
        if containing in block:
            return str(block)
    raise LookupError(f"no {language} with {containing!r} below {heading!r}")


def paste(block: str, folder: Path, env: Mapping[str, str]) -> tuple[list[int], str, str]:
    """The exit code of each line, standard output, and what else was told."""
    script = "".join(f'{line}\necho "code $?" >&2\n' for line in block.strip().splitlines())
    process = subprocess.Popen(
        ["bash"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd=folder,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(f"{script}kill $(jobs -p)\nwait\n".encode(), timeout=LIMIT_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    codes = [int(code) for code in re.findall(rb"^code (\d+)$", err, re.MULTILINE)]
    return codes, out.decode(), err.decode()


def check_block_without_electron(folder: Path, python: Path) -> None:
    """The block does what it says, with the `deskbus` that lies beside `python`."""
    block = sample("Without Electron", "sh")
    assert block.startswith("deskbus serve --headless")
    env = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_RUNTIME_DIR": str(folder),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }
    folder.chmod(0o700)
    # Typed line by line, so each code is seen; `$?` of the last says what doctor found.
    codes, out, told = paste(block, folder, env)
    assert codes[:-1] == [0] * (len(codes) - 1), told
    assert "no backend" not in told
    assert "Traceback" not in told
    results = [json.loads(line) for line in out.split("\n") if line]
    assert any(result.get("ready") for result in results)
    assert any("receivers" in result for result in results)
    assert any(result.get("findings") == [] for result in results)
    assert any("checks" in result for result in results)
