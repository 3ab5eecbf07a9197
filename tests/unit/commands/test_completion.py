"""Completion: what bash offers, out of the command line and the method table themselves."""

import shutil
import subprocess

import pytest

from deskbus import cli
from deskbus.commands.backend.method_descriptions import CALLABLE
from deskbus.commands.completion import _SCRIPTS, words_of
from tests.conftest import absent


def offered(*typed: str) -> set[str]:
    if shutil.which("bash") is None:
        absent("there is no bash here")
    script = _SCRIPTS["bash"](words_of(cli.parser()))
    words = " ".join(f"'{word}'" for word in ("deskbus", *typed))
    asked = f"COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _deskbus"
    shown = 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash"], input=f"{script}\n{asked}\n{shown}\n", capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_commands_actions_options_and_methods_are_offered() -> None:
    assert {"call", "vault", "doctor"} <= offered("")
    assert {"rotate", "lock"} <= offered("vault", "")
    assert "--password-fd" in offered("vault", "unlock", "--")
    assert offered("call", "bus.pub") == {"bus.publish"}
    assert set(CALLABLE) <= offered("call", "--wait", "1", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_is_one_that_the_shell_takes(shell: str) -> None:
    script = _SCRIPTS[shell](words_of(cli.parser()))
    assert "bus.publish" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
