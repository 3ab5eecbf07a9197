"""A task that fails ends nothing but itself, or what waits for it.

The group of a whole part would end the part, and the backend with it. So tasks of a part are
begun through `BackgroundTasks` or `Loops`, which contain them; a group of one's own is for a
function that waits for its tasks, and hands their failure to its caller.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BACKEND = Path(__file__).parents[2] / "backend" / "deskbus"

STARTERS = {
    "commands/client.py": "it ends the command, which says why",
    "reliability/background_tasks.py": "contains what it starts",
    "rpc/peer.py": "`run` waits for its calls; a fault of one ends its link, which is served alone",
}
"""Modules that start tasks in a group that they keep, and why none of these ends more."""

BARE_TASKS = {
    "audit/violation_recorder.py": "a fault is told to the loop, after the caller was answered",
    "transport/frame_encoding.py": "it contains its faults, and ends its link",
    "transport/link.py": "it contains its faults, and ends its link",
    "transport/named_pipes/unix_socket.py": "a fault costs one connection, or renewing the socket",
    "transport/named_pipes/windows_pipe.py": "a fault ends accepting, as the log says",
}
"""Modules that make a task of the loop's own, whose failure is logged, and why that is enough."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function itself, without those of functions within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def groups_of(function: Function) -> set[str]:
    """The names of groups that the function waits for: it has no caller's block to end."""
    nodes = list(own_nodes(function))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes):
        return set()
    return {
        item.optional_vars.id
        for node in nodes
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
        and ast.unparse(item.context_expr).endswith("create_task_group()")
    }


def uncontained(text: str) -> Iterator[int]:
    """The lines that start a task whose failure would end more than its caller."""
    for function in functions(ast.parse(text)):
        groups = groups_of(function)
        for node in own_nodes(function):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("start_soon", "start")
                and (node.func.attr == "start_soon" or _is_group(node.func.value))
                and not (isinstance(node.func.value, ast.Name) and node.func.value.id in groups)
            ):
                yield node.lineno


def _is_group(value: ast.expr) -> bool:
    return ast.unparse(value).rpartition(".")[2] in ("group", "task_group")


def bare(text: str) -> Iterator[int]:
    """The lines that make a task of the loop's own."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name in ("create_task", "ensure_future"):
                yield node.lineno


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(BACKEND.rglob("*.py")):
        yield path.relative_to(BACKEND).as_posix(), path.read_text("utf-8")


def test_every_task_of_a_part_is_contained() -> None:
    found = {name: lines for name, text in modules() if (lines := [*uncontained(text)])}
    supervisor = "processes/managed_app.py"
    assert found.keys() - {supervisor} == STARTERS.keys()
    # Its `start_soon` is the manager's, which contains what it starts.
    calls = (BACKEND / supervisor).read_text("utf-8").count("_supervisor.start_soon(")
    assert calls == len(found[supervisor])
    assert "self._tasks.start(task, *args)" in (BACKEND / "processes/manager.py").read_text("utf-8")


def test_every_task_of_the_loops_own_has_its_reason() -> None:
    assert {name for name, text in modules() if [*bare(text)]} == BARE_TASKS.keys()


@pytest.mark.parametrize(
    ("body", "is_found"),
    [
        ("async with create_task_group() as g:\n  g.start_soon(f)\n  yield", True),
        ("async with create_task_group() as g:\n  g.start_soon(f)", False),
        ("async with create_task_group() as self._g:\n  self._g.start_soon(f)", True),
        ("self._g.start_soon(f)", True),
        ("async def inner():\n  g.start_soon(f)", True),
    ],
)
def test_a_start_without_containment_is_found(body: str, is_found: bool) -> None:
    lines = "\n ".join(body.split("\n"))
    assert bool([*uncontained(f"async def run(self):\n {lines}\n")]) == is_found
    assert [*bare("loop.create_task(f())")] == [1]
