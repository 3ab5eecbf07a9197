"""The face of each service to the rest of the backend: the modules in its package's `__all__`."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.test_layers import BACKEND, CARRIERS, SERVICES

FACED = sorted(SERVICES | CARRIERS)
PACKAGES = sorted(
    path.parent for service in FACED for path in (BACKEND / service).rglob("__init__.py")
)


def offered(package: Path) -> set[str]:
    """The names in a package's `__all__`; none where it has no such list."""
    for node in ast.parse((package / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def imported_modules(path: Path) -> Iterator[Path]:
    """The modules and packages of the backend that a file imports, as paths without suffix."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            module = BACKEND.joinpath(*rest)
            # `from module import name`: the name is no module.
            while not (module.is_dir() or module.with_suffix(".py").is_file()):
                module = module.parent
            if first == "deskbus" and module != BACKEND:
                yield module


@cache
def outside_uses() -> dict[Path, set[str]]:
    """By package: the names in it that something outside of its service imports."""
    uses: dict[Path, set[str]] = {package: set() for package in PACKAGES}
    for path in BACKEND.rglob("*.py"):
        for module in imported_modules(path):
            service = BACKEND / module.relative_to(BACKEND).parts[0]
            if service.name in FACED and service not in path.parents:
                for step in (module, *module.parents):
                    if step.parent in uses:
                        uses[step.parent].add(step.name)
    return uses


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: str(each.relative_to(BACKEND)))
def test_a_package_offers_the_modules_that_others_import_and_no_other(package: Path) -> None:
    assert offered(package) == outside_uses()[package]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: str(each.relative_to(BACKEND)))
def test_to_import_a_package_imports_none_of_its_modules(package: Path) -> None:
    """Every command would load them, though `deskbus pub` needs a file's name and no more."""
    assert list(imported_modules(package / "__init__.py")) == []
