"""Every sample in the pages for users is run by a test, or says why not; all are checked as text.

Commands are held against the command line's parser, settings against the configuration, programs
against their language.
"""

import ast
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from demo.electron import ROOT
from deskbus.cli import parser
from deskbus.config import Config
from deskbus.security.policy.policy_file import PolicyTables
from tests.conftest import absent
from tests.support.samples import CODE, PAGES, Sample, samples

ALL = [sample for page in PAGES for sample in samples(page)]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("*.py")
    for name in re.findall(r"def (test_\w+)\(", path.read_text("utf-8"))
}
PLACEHOLDER = "…"


def of(*languages: str) -> pytest.MarkDecorator:
    found = [sample for sample in ALL if sample.language in languages]
    assert found, f"no page has {languages}"
    return pytest.mark.parametrize("sample", found, ids=lambda sample: sample.place)


def test_there_are_no_blocks_without_a_language() -> None:
    for page in PAGES:
        fences = re.findall(r"^```(.*)$", page.read_text("utf-8"), re.MULTILINE)
        bare = [fence for fence in fences[::2] if not fence]
        assert bare == [], page


@of(*CODE)
def test_code_is_run_by_a_test_or_says_why_not(sample: Sample) -> None:
    kind, _, words = sample.mark.partition(" " if sample.mark.startswith("the file") else ": ")
    if kind == "run by":
        assert words in TESTS
    elif kind == "the":
        path = ROOT / words.removeprefix("file ")
        assert sample.code == path.read_text("utf-8")
        assert any(path.name in test.read_text("utf-8")
                   for test in (ROOT / "tests").rglob("test_*example*.py")) or (
            path.name in (ROOT / "examples/deskbus.toml").read_text("utf-8")
            or path.parent.name == "page"
        )  # fmt: skip
    else:
        assert kind == "not run", "it has no mark: tests/support/samples.py names them"
        assert len(words) > 10


@of("toml")
def test_settings_are_taken_as_a_configuration_or_a_policy(sample: Sample) -> None:
    content = tomllib.loads(sample.code)
    if content.keys() & {"grants", "declares", "process", "limits"}:
        content = {"apps": [{"id": "a.b", "name": "A", **content}]}
    kind = PolicyTables if "rules" in content else Config
    msgspec.convert(content, kind)


@of("json")
def test_data_is_json(sample: Sample) -> None:
    try:
        json.loads(sample.code)
    except json.JSONDecodeError:
        for line in sample.code.splitlines():
            json.loads(line)


@of("python")
def test_programs_in_python_compile(sample: Sample) -> None:
    compile(sample.code, sample.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@of("js")
def test_programs_in_javascript_parse(sample: Sample, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        absent("there is no node")
    file = tmp_path / "sample.mjs"
    file.write_text(sample.code.replace(PLACEHOLDER, "undefined"))
    subprocess.run([node, "--check", file], check=True)


def commands(code: str) -> Iterator[list[str]]:
    """The words of each call of `deskbus` in a block of shell."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        words.whitespace_split = True
        command: list[str] = []
        redirected = False
        for word in [*words, ";"]:
            if set(word) <= set("|&;()"):
                if command and Path(command[0]).name == "deskbus":
                    yield command[1:]
                command = []
            elif set(word) <= set("<>"):
                redirected = True
                if command and command[-1].isdigit():
                    del command[-1]
            elif redirected:
                redirected = False
            else:
                command.append(word)


@of("sh")
def test_commands_are_those_that_there_are(sample: Sample) -> None:
    known = parser()
    for command in commands(sample.code):
        given = [word.strip("[]") for word in command]
        try:
            known.parse_args(given)
        except SystemExit as end:
            assert end.code == 0, f"deskbus {shlex.join(given)}"  # noqa: PT017  # --help ends so


def test_a_command_that_there_is_not_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(commands("deskbus sub 'a.#' | head\nls; x/deskbus vault 3<old >new status &")) == [
        ["sub", "a.#"],
        ["vault", "status"],
    ]
    with pytest.raises(SystemExit):
        parser().parse_args(["vault", "statsu"])
    assert "statsu" in capsys.readouterr().err
