"""Names of the source: no two classes share one."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend/deskbus", "protocol/deskbus_protocol")
PYTHON = {".py"}

SAME_NAME: dict[str, str] = {}
"""Classes that share a name with another, each with the reason."""


def sources(folder: str, suffixes: set[str]) -> Iterator[Path]:
    for path in sorted((ROOT / folder).rglob("*")):
        generated = {"generated", "node_modules", "dist", "__pycache__"} & set(path.parts)
        if path.suffix in suffixes and not generated:
            yield path


def test_no_two_classes_of_the_packages_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sources(package, PYTHON):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(str(path.relative_to(ROOT)))
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in shared.items() if name not in SAME_NAME} == {}
    assert set(SAME_NAME) <= set(shared), "a reason is left of a name that is shared no more"
