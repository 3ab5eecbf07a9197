"""Imports go down the architecture page's list of layers, and third parties stay behind fences."""

import ast
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BACKEND = ROOT / "backend/deskbus"
PROTOCOL = ROOT / "protocol/deskbus_protocol"
TYPESCRIPT = ROOT / "electron-bridge/src"

TYPESCRIPT_IMPORT = re.compile(r"""(?:from|import) ['"](\.{1,2}/[^'"]+)['"]""")

SERVICES = {
    "bus", "persistence", "security", "vault", "audit", "processes", "ui", "federation", "fdc3",
}  # fmt: skip
BASE = {"config", "contracts", "languages", "reliability", "observability", "storage"}
CARRIERS = {"transport", "rpc"}
TOP = {"handlers", "web"}
ROOTS = {"app", "cli", "commands", "export", "__main__"}

FENCES = {
    "opentelemetry": {"observability"},
    "prometheus_client": {"observability"},
    "jsonrpcserver": {"rpc/dispatch/jsonrpc_dispatcher.py"},
    "keyring": {"vault", "audit"},
    "cryptography": {"vault", "audit", "security/identity/signatures.py"},
    "nats": {"federation"},
    "psutil": {"processes", "observability"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "websockets": {"web"},
}


@cache
def imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


def modules_of(root: Path) -> dict[str, Path]:
    return {
        ".".join((root.name, *path.relative_to(root).with_suffix("").parts)): path
        for path in root.rglob("*.py")
        if path.name != "__init__.py"
    }


def import_graph(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Each module with those that it imports anywhere, late or for its types alone."""
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & modules.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                named = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[name] |= (named | {node.module}) & modules.keys()
    return graph


def typescript_graph(root: Path) -> dict[str, set[str]]:
    """Each source of the npm package with those that it imports, for their types alone too."""
    graph: dict[str, set[str]] = {}
    for path in root.rglob("*.ts"):
        targets = TYPESCRIPT_IMPORT.findall(path.read_text("utf-8"))
        graph[str(path.relative_to(root).with_suffix(""))] = {
            os.path.relpath(path.parent / target, root) for target in targets
        }
    return graph


def calls(path: Path, name: str) -> list[int]:
    """The lines of a file in which a method of that name is called."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == name
    ]


def layer_of(path: Path) -> str:
    return path.relative_to(BACKEND).parts[0].removesuffix(".py")


LAYERS = sorted({layer_of(path) for path in BACKEND.rglob("*.py")})


def files_of(layer: str) -> list[Path]:
    return [path for path in BACKEND.rglob("*.py") if layer_of(path) == layer]


def allowed(layer: str) -> set[str]:
    """The layers that a module of `layer` may import, its own always among them."""
    below = {"__init__"}
    if layer in BASE:
        return below | BASE
    if layer in SERVICES:
        return below | BASE | {layer}
    if layer in CARRIERS:
        return below | BASE | CARRIERS
    if layer in TOP:
        return below | BASE | SERVICES | CARRIERS | TOP
    if layer == "components":
        return below | BASE | SERVICES | CARRIERS | TOP | {"components"}
    assert layer in ROOTS | {"__init__"}, f"{layer} is in no layer"
    return below | BASE | SERVICES | CARRIERS | TOP | ROOTS | {"components"}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_module_imports_down_the_layers_only(layer: str) -> None:
    for path in files_of(layer):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "deskbus":
                target = parts[1] if len(parts) > 1 else "__init__"
                assert target in allowed(layer), f"{path} imports {name}"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_fenced_library_is_imported_behind_its_fence_only(layer: str) -> None:
    for path in files_of(layer):
        place = str(path.relative_to(BACKEND))
        for name in imports(path):
            fence = FENCES.get(name.split(".", maxsplit=1)[0])
            assert not fence or place in fence or layer in fence, f"{path} imports {name}"


def test_the_protocol_package_is_pure() -> None:
    for path in PROTOCOL.rglob("*.py"):
        allowed_names = {"deskbus_protocol", "msgspec"}
        if path.parent.name == "client":
            allowed_names |= {"anyio"}
        if path.name == "encoding.py" and path.parent.name == "wire":
            allowed_names |= {"brotli"}
        for name in imports(path):
            top = name.split(".", maxsplit=1)[0]
            where = f"{path} imports {name}"
            assert top in allowed_names or top in sys.stdlib_module_names, where
            if path.name != "pipe.py" or path.parent.name != "client":
                assert top != "asyncio", where
            assert top not in {"socket", "subprocess"}, where


@pytest.mark.parametrize("root", [BACKEND, PROTOCOL], ids=["backend", "protocol"])
def test_modules_import_each_other_in_no_circle(root: Path) -> None:
    try:
        TopologicalSorter(import_graph(modules_of(root))).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_typescript_modules_import_each_other_in_no_circle() -> None:
    graph = typescript_graph(TYPESCRIPT)
    assert "page/link" in graph["page/index"] | graph["page/window-deskbus"]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("root", [BACKEND, PROTOCOL], ids=["backend", "protocol"])
def test_nothing_is_cut_where_json_has_no_line_break(root: Path) -> None:
    """`splitlines` cuts at a carriage return, of text also at U+2028 and others."""
    found = {str(path): calls(path, "splitlines") for path in root.rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}
