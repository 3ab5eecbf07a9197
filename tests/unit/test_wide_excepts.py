"""A clause that takes every exception raises it again, or says in a comment beside it why not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("backend", "protocol", "demo", "examples", "tests")
WIDE = {"Exception", "BaseException"}
NOQA = re.compile(r"#\s*noqa:\s*[A-Z0-9, ]+")


def unexplained(text: str) -> Iterator[int]:
    """The lines of such clauses without a reason."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        named = (
            {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}
            if (node.type)
            else WIDE
        )
        last = node.body[-1]
        raises = isinstance(last, ast.Raise) and last.exc is None
        comment = NOQA.sub("#", lines[node.lineno - 1]).partition("#")[2]
        if named & WIDE and not raises and not comment.strip("#- "):
            yield node.lineno


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_wide_except_raises_again_or_has_its_reason_beside_it(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "node_modules" not in path.parts
        for line in unexplained(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "clause",
    ["except Exception: pass", "except (OSError, BaseException): pass", "except: pass"],
)
def test_a_wide_except_without_a_reason_is_found(clause: str) -> None:
    assert [*unexplained(f"try:\n    f()\n{clause}\n")] == [3]
    assert [*unexplained(f"try:\n    f()\n{clause}  # noqa: BLE001\n")] == [3]
    assert [*unexplained(f"try:\n    f()\n{clause}  # noqa: BLE001 - f may raise it\n")] == []
    assert [*unexplained(f"try:\n    f()\n{clause}  # f may raise it\n")] == []
