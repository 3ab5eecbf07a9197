"""The modules that the platform wheel has compiled, and that it has them."""

import importlib
import os
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "compiled" / "site"
HOOKS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
INCLUDED = HOOKS["wheel"]["hooks"]["mypyc"]["include"]

ON_COMPILED = str(SITE) in os.environ.get("PYTHONPATH", "").split(os.pathsep)


@pytest.mark.parametrize("path", INCLUDED)
def test_what_is_to_be_compiled_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("path", INCLUDED)
def test_the_module_under_test_is_the_one_that_this_run_is_about(path: str) -> None:
    module = importlib.import_module(path.removeprefix("backend/")[:-3].replace("/", "."))
    file = Path(str(module.__file__))
    assert (file.suffix == ".py") is not ON_COMPILED
    assert file.is_relative_to(SITE) is ON_COMPILED
