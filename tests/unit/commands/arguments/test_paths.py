"""Paths that are empty are refused, wherever a command takes one."""

from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

from deskbus import cli
from deskbus.commands.arguments.paths import path


def actions_of(parser: ArgumentParser) -> Iterator[Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, _SubParsersAction):
            for child in action.choices.values():
                yield from actions_of(child)


def test_every_path_of_the_command_line_is_read_alike() -> None:
    """One that comes from a variable that is not set would be the working folder."""
    types = [action.type for action in actions_of(cli.parser())]
    assert types.count(path) > 10
    assert Path not in types


@pytest.mark.parametrize("option", ["--data-dir", "--config"])
def test_an_empty_path_is_misuse(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.parser().parse_args(["serve", "--headless", option, ""])
    assert ended.value.code == 2
    assert f"argument {option}: the path is empty" in capsys.readouterr().err
