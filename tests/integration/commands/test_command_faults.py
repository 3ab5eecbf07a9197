"""Every command under every fault: words and a documented exit code, never a traceback."""

import json
import os
import signal
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus.cli import parser
from deskbus.config import SOCKET_PATH_BYTES, runtime_dir_for
from tests.integration.commands.test_cli import command, headless

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork, uids and /dev are POSIX's")

PROGRAM = Path(__file__).parents[1] / "programs/commandfaults.py"
DOCUMENTED = {0, 1, 2, 3, 73, 78, 130}
OPERANDS = {
    "method": "health.get",
    "topic": "a.b",
    "pattern": "a.#",
    "payload": "1",
    "shell": "bash",
    "manifest": "manifest.json",
    "key": "key",
    "file": "file",
    "what": "stat",
}
"""Of what is not here, `name` say, anything does."""

VAULT_WRITES = (
    *("unlock", "change-password", "use-keychain", "use-safe-storage", "import", "set", "export"),
)
WRITES = {
    ("serve",),
    ("publisher", "keygen"),
    ("publisher", "sign"),
    ("audit", "export"),
    ("audit", "report"),
    *(("vault", what) for what in VAULT_WRITES),
}
"""The commands that may make files; every other one only looks, or asks a backend."""

FEW_FILES = 16

Case = dict[str, Any]


def leaves(root: ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, ...]]:
    groups = [each for each in root._actions if isinstance(each, _SubParsersAction)]
    for group in groups:
        for name, child in group.choices.items():
            yield from leaves(child, (*path, name))
    if not groups:
        yield path, root


def words_of(path: tuple[str, ...], leaf: ArgumentParser, data_dir: Path) -> list[str]:
    """The command with all that it requires, on `data_dir`; it waits for nothing."""
    words = list(path)
    options = {option for action in leaf._actions for option in action.option_strings}
    if "--data-dir" in options:
        words += ["--data-dir", str(data_dir)]
    if "--wait" in options:
        words += ["--wait", "0"]
    if path == ("serve",):
        words.append("--headless")
    for action in leaf._actions:
        if not action.option_strings and action.nargs not in ("?", "*"):
            words.append(OPERANDS.get(action.dest, "x"))
    return words


COMMANDS = [(path, leaf) for path, leaf in leaves(parser()) if path != ("bundle",)]
"""All but the one that copies a whole Python, and has tests of its own."""


def run_all(cases: list[Case]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        input=json.dumps(cases).encode(),
        stdout=subprocess.PIPE,
        timeout=240,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def in_words(case: Case, found: dict[str, Any]) -> bool:
    text = found["out"] + found["err"]
    told = found["code"] in (0, 130) or case.get("stderr") or "deskbus" in found["err"]
    return (
        found["code"] in DOCUMENTED
        and bool(told or found["out"])
        and not any(
            sign in text for sign in ("Traceback", "Exception ignored", "a fault in deskbus")
        )
    )


def faults(tmp_path: Path, short_path: Path) -> dict[str, tuple[Path, Case]]:
    """The data folder and the surroundings of each fault."""
    good = tmp_path / "data"
    # Of a name that is too long for a socket, the runtime folder would not be used at all.
    runtime = short_path / "runtime"
    runtime.mkdir(mode=0o700)
    (tmp_path / "file").write_text("a file")
    others = short_path / "others"
    others.mkdir()
    others.chmod(0o777)
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    below_file = tmp_path / "file/below"
    (short_path / "file").touch()
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    pipes = tmp_path / "pipes"
    pipes.mkdir()
    for name in {*OPERANDS.values(), "x"}:
        os.mkfifo(pipes / name)
    return {
        "the data folder is a file": (tmp_path / "file", {"env": env}),
        "the data folder is below a file": (below_file, {"env": env}),
        "the data folder can't be made": (Path("/proc/deskbus"), {"env": env}),
        "there is no permission": (locked / "data", {"unprivileged": True, "env": env}),
        "the data folder's path is long": (tmp_path / ("x" * 250) / ("y" * 250), {"env": env}),
        "the data folder's name is too long": (tmp_path / ("x" * 300), {"env": env}),
        "the runtime folder can't be made": (good, {"env": {"XDG_RUNTIME_DIR": "/proc"}}),
        "the runtime folder is a file": (
            good,
            {"env": {"XDG_RUNTIME_DIR": str(short_path / "file/below")}},
        ),
        "the runtime folder is open": (good, {"env": {"XDG_RUNTIME_DIR": str(others)}}),
        "standard output is full": (good, {"stdout": "full", "env": env}),
        "standard output is closed": (good, {"stdout": "closed", "env": env}),
        "standard output is not read": (good, {"stdout": "unread", "env": env}),
        "standard error is full": (good, {"stderr": "full", "env": env}),
        "standard error is closed": (good, {"stderr": "closed", "env": env}),
        "standard error is not read": (good, {"stderr": "unread", "env": env}),
        "standard input is closed": (good, {"stdin": "closed", "env": env}),
        "the locale is C": (
            tmp_path / "ö",
            {"encoding": "ascii", "env": {**env, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}},
        ),
        "it is interrupted": (good, {"interrupt_s": 0.001, "env": env}),
        "the files are pipes": (good, {"folder": str(pipes), "env": env}),
        "descriptors are few": (good, {"open_files": FEW_FILES, "env": env}),
    }


NOT_OF_PLACES = ("the locale is C", "it is interrupted", "the files are pipes")

STARTS = "the data folder's path is long"

STARTS_ALL_THE_SAME = ("standard", "locale", "interrupted", "path is long", "pipes")
"""Faults with which `serve` runs, and ends only when it is told to."""


@pytest.mark.requirement("6.5")
@pytest.mark.parametrize("part", range(3))
def test_no_command_shows_a_traceback_whatever_is_wrong(
    tmp_path: Path, short_path: Path, part: int
) -> None:
    cases: list[Case] = []
    titles = []
    for number, (title, (data_dir, surroundings)) in enumerate(
        faults(tmp_path, short_path).items()
    ):
        if number % 3 != part:
            continue
        for path, leaf in COMMANDS:
            if path == ("serve",) and any(word in title for word in STARTS_ALL_THE_SAME):
                continue
            words = words_of(path, leaf, data_dir)
            options = {option for action in leaf._actions for option in action.option_strings}
            if "pipes" in title and "--config" in options:
                words += ["--config", "file"]
            cases.append({"words": words, "folder": str(tmp_path), **surroundings})
            titles.append(f"{title}: {' '.join(path)}")
    bad = [
        f"{title}: {found}"
        for title, case, found in zip(titles, cases, run_all(cases), strict=True)
        if not in_words(case, found)
    ]
    assert not bad, "\n".join(bad)


def test_a_command_that_only_looks_makes_nothing(tmp_path: Path) -> None:
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "runtime"), "HOME": str(tmp_path)}
    cases = [
        {
            "words": words_of(path, leaf, tmp_path / "data"),
            "folder": str(tmp_path),
            "env": env,
        }
        for path, leaf in COMMANDS
        if path not in WRITES
    ]
    assert len(cases) > 25
    results = run_all(cases)
    assert list(tmp_path.iterdir()) == [], [case["words"] for case in cases]
    assert all(in_words(case, found) for case, found in zip(cases, results, strict=True))


@pytest.mark.parametrize(
    ("stdout", "code", "told"),
    [("full", 1, "No space left on device"), ("closed", 1, "standard output"), ("unread", 0, "")],
)
def test_an_output_that_fails_is_told_unless_nobody_reads_on(
    tmp_path: Path, stdout: str, code: int, told: str
) -> None:
    commands = (["completion", "bash"], ["--help"], ["doctor"])
    cases = [{"words": words, "folder": str(tmp_path), "stdout": stdout} for words in commands]
    for found in run_all(cases):
        assert (found["code"], told in found["err"]) == (code, True), found


def test_an_error_names_the_path_the_cause_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    commands = (["serve", "--headless"], ["vault", "unlock"], ["doctor"])
    place = ["--data-dir", str(file)]
    for found in run_all(
        [{"words": [*words, *place], "folder": str(tmp_path)} for words in commands]
    ):
        text = found["out"] + found["err"]
        assert found["code"] == 1
        assert str(file) in text
        assert "folder" in text or "name" in text


def test_an_interrupted_command_answers_130_in_silence(tmp_path: Path) -> None:
    case = {
        "words": ["call", "health.get", "--data-dir", str(tmp_path / "data")],
        "folder": str(tmp_path),
        "interrupt_s": 0.2,
        "env": {"XDG_RUNTIME_DIR": str(tmp_path)},
    }
    (found,) = run_all([case])
    assert found == {"code": 130, "out": "", "err": ""}


def test_doctor_finds_each_fault_of_the_places_before_a_start_does(
    tmp_path: Path, short_path: Path
) -> None:
    places = {
        title: (data_dir, surroundings)
        for title, (data_dir, surroundings) in faults(tmp_path, short_path).items()
        if "standard" not in title and title not in NOT_OF_PLACES
    }
    cases = [
        {"words": [*start, "--data-dir", str(data_dir)], "folder": str(tmp_path), **surroundings}
        for title, (data_dir, surroundings) in places.items()
        for start in (["doctor"], *([["serve", "--headless"]] if title != STARTS else []))
    ]
    results = iter(run_all(cases))
    for title in places:
        doctor = next(results)
        checks = json.loads(doctor["out"])["checks"]
        verdicts = {checks[name]["verdict"] for name in ("dataFolder", "runtimeFolder", "limits")}
        assert doctor["code"] == 1
        assert ("broken" in verdicts) == (title != STARTS), title
        if title != STARTS:
            assert next(results)["code"] == 1, title
    assert not list(results)


async def test_a_backend_that_dies_is_told_to_who_is_connected(tmp_path: Path) -> None:
    async with headless(tmp_path / "data") as backend:
        words = command("sub", "a.#", data_dir=tmp_path / "data")
        async with await anyio.open_process(words) as subscriber:
            with anyio.fail_after(30):
                receivers = 0
                while not receivers:
                    pub = command("pub", "a.b", "1", data_dir=tmp_path / "data")
                    done = await anyio.run_process(pub)
                    receivers = json.loads(done.stdout)["receivers"]
                backend.send_signal(signal.SIGKILL)
                assert subscriber.stderr is not None
                told = b"".join([chunk async for chunk in subscriber.stderr]).decode()
                assert await subscriber.wait() == 1
    assert "connection" in told
    assert "Traceback" not in told


async def test_a_backend_that_hangs_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskbus.commands.backend.developer_session.OPEN_WITHIN_S", 0.2)
    from deskbus.commands.backend.developer_session import developer_session
    from deskbus.commands.terminal.failures import CommandError

    async with headless(tmp_path / "data") as backend:
        backend.send_signal(signal.SIGSTOP)
        try:
            with anyio.fail_after(10), pytest.raises(CommandError, match="does not answer"):
                async with developer_session(tmp_path / "data", 0):
                    raise AssertionError
        finally:
            backend.send_signal(signal.SIGCONT)


async def test_a_runtime_folder_with_a_long_path_gives_way_to_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * SOCKET_PATH_BYTES)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    folder = runtime_dir_for(tmp_path / "data")
    assert len(os.fsencode(folder / "bus.sock")) <= SOCKET_PATH_BYTES
    async with headless(tmp_path / "data"):
        done = await anyio.run_process(command("call", "health.get", data_dir=tmp_path / "data"))
    assert json.loads(done.stdout)["status"] == "ok"


async def test_a_second_backend_names_the_first(tmp_path: Path) -> None:
    async with headless(tmp_path / "data") as first:
        words = command("serve", "--headless", data_dir=tmp_path / "data")
        with anyio.fail_after(20):
            done = await anyio.run_process(words, check=False)
    assert done.returncode == 73
    told = done.stderr.decode()
    assert f"a backend (pid {first.pid}) already runs on {tmp_path / 'data'}" in told
