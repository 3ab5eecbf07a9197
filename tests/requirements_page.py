"""The page docs/requirements.md: the tests behind each requirement and each leaf of the task list.

`python -m tests.requirements_page` writes it from requirements.toml and the tests' marks.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PAGE = ROOT / "docs" / "requirements.md"
TABLE = TESTS / "requirements.toml"
NODE_TEST = re.compile(r"^test\(\s*(?:'((?:[^'\\]|\\.)*)'|\"([^\"]*)\")", re.MULTILINE)

HEAD = """# Requirements, and what proves them

Made by `make requirements` from `tests/requirements.toml` and the tests' marks; do not edit.
A test fails where a number has no test, or where a test that is named here is not there.

## By requirement

| no. | requirement | tests in |
| --- | --- | --- |
"""
LEAVES = """
## By task

Each leaf of the task list, and a test that fails where it is broken.

| task | leaf | test |
| --- | --- | --- |
"""
OTHERWISE = """
## Done otherwise, or not possible

| leaf | in its place |
| --- | --- |
"""


class Leaf(NamedTuple):
    task: str
    text: str
    tests: list[str]


@cache
def _table() -> dict[str, dict[str, object]]:
    return tomllib.loads(TABLE.read_text("utf-8"))


def requirements() -> dict[str, str]:
    return {number: str(text) for number, text in _table()["requirements"].items()}


def otherwise() -> dict[str, str]:
    """Why a leaf was done otherwise, by its task's number and its text."""
    return {leaf: str(why) for leaf, why in _table()["otherwise"].items()}


def leaves() -> list[Leaf]:
    found = []
    for task, rows in _table().items():
        if task not in ("requirements", "otherwise"):
            for text, tests in rows.items():
                assert isinstance(tests, list)
                found.append(Leaf(task, text, tests))
    return found


@cache
def marked() -> dict[str, list[str]]:
    """By requirement, the files with tests that name it; paths are relative to tests/."""
    found: dict[str, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for number in _numbers(ast.parse(path.read_text("utf-8"))):
            found.setdefault(number, set()).add(path.relative_to(TESTS).as_posix())
    return {number: sorted(files) for number, files in found.items()}


def _numbers(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.requirement"):
            for each in node.args:
                assert isinstance(each, ast.Constant)
                yield str(each.value)


def missing(tests: list[str]) -> list[str]:
    """Those of `tests` that are not there."""
    return [test for test in tests if _found(test) is None]


def _found(test: str) -> Path | None:
    """The file with a test that is named as in requirements.toml, wherever it lies."""
    file, _, name = test.partition("::")
    return next((path for path in _files().get(file, []) if name in _names(path)), None)


@cache
def _files() -> dict[str, list[Path]]:
    """Files with tests, of Python and of the npm package, by their names."""
    found: dict[str, list[Path]] = {}
    for path in (*TESTS.rglob("test_*.py"), *(ROOT / "electron-bridge/test").glob("*.test.mjs")):
        found.setdefault(path.name, []).append(path)
    return found


@cache
def _names(path: Path) -> frozenset[str]:
    text = path.read_text("utf-8")
    if path.suffix == ".mjs":
        return frozenset(one or other for one, other in NODE_TEST.findall(text))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(ast.parse(text)) if isinstance(node, functions))


def render() -> str:
    lines = [HEAD]
    for number, text in requirements().items():
        files = ", ".join(map(_link, marked().get(number, [])))
        lines.append(f"| {number} | {text} | {files} |\n")
    lines.append(LEAVES)
    lines += [
        f"| {task} | {text} | {'; '.join(map(_words, tests))} |\n" for task, text, tests in leaves()
    ]
    lines.append(OTHERWISE)
    lines += [f"| {leaf} | {why} |\n" for leaf, why in otherwise().items()]
    return "".join(lines)


def _link(file: str) -> str:
    return f"[{file.removesuffix('.py').replace('test_', '')}](../tests/{file})"


def _words(test: str) -> str:
    """The test's name as the sentence that it is, with a link to its file."""
    _, _, name = test.partition("::")
    path = _found(test)
    words = name.removeprefix("test_").replace("_", " ")
    return words if path is None else f"[{words}](../{path.relative_to(ROOT).as_posix()})"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
