"""Mutants of a module: small faults, each made by changing one node of its syntax tree.

Comparisons are turned round or made strict, operators exchanged, conditions negated or fixed,
constants moved by one, statements taken out, returned values lost, keywords' defaults dropped. What
nothing can notice is left alone: docstrings, annotations, log lines and `__slots__`.
"""

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
UNNOTICED = ("log", "logger")
"""Names whose calls only tell a person something."""


class Mutant(NamedTuple):
    """`source` is the whole module with the one fault in `line`, which `words` begin with."""

    number: int
    line: int
    words: str
    source: str


class _Change(NamedTuple):
    words: str
    node: ast.AST
    replacement: ast.AST | None
    """None where the node itself is a statement that is taken out."""


def mutants(source: str) -> list[Mutant]:
    """Every mutant, in the order of lines."""
    tree = ast.parse(source)
    changes = sorted(_changes(tree), key=lambda change: getattr(change.node, "lineno", 0))
    lines = source.splitlines()
    found: list[Mutant] = []
    for change in changes:
        text = _with(tree, change)
        if text is not None:
            line = getattr(change.node, "lineno", 0)
            words = f"{lines[line - 1].strip()} | {change.words}"
            found.append(Mutant(len(found), line, words, text))
    return found


def _with(tree: ast.Module, change: _Change) -> str | None:
    memo: dict[int, object] = {}
    copied = copy.deepcopy(tree, memo)
    target = memo[id(change.node)]
    assert isinstance(target, ast.AST)
    replaced = _Replacement(target, change.replacement or ast.Pass()).visit(copied)
    text = ast.unparse(ast.fix_missing_locations(replaced))
    return None if text == ast.unparse(tree) else text


class _Replacement(ast.NodeTransformer):
    def __init__(self, target: ast.AST, by: ast.AST) -> None:
        self._target = target
        self._by = by

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._target:
            return self._by
        visited: ast.AST = self.generic_visit(node)
        return visited


def _changes(tree: ast.Module) -> Iterator[_Change]:
    for node in _noticed(tree):
        yield from _expression(node) if isinstance(node, ast.expr) else _statement(node)
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            negated = ast.UnaryOp(ast.Not(), node.test)
            yield _Change(f"if {ast.unparse(node.test)}: negated", node.test, negated)


def _expression(node: ast.expr) -> Iterator[_Change]:
    if isinstance(node, ast.Compare):
        yield from _compared(node)
    elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
        other = COMPUTED[type(node.op)]()
        words = f"{ast.unparse(node)}: {type(node.op).__name__} becomes {type(other).__name__}"
        yield _Change(words, node, ast.BinOp(node.left, other, node.right))
    elif isinstance(node, ast.BoolOp):
        other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        words = f"{ast.unparse(node)}: and and or exchanged"
        yield _Change(words, node, ast.BoolOp(other_op, node.values))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _Change(f"{ast.unparse(node)}: not taken away", node, node.operand)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)


def _statement(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.Return):
        if node.value is not None and not isinstance(node.value, ast.Constant):
            words = f"{ast.unparse(node)}: None in its place"
            yield _Change(words, node, ast.Return(ast.Constant(None)))
    elif isinstance(node, ast.Break | ast.Continue):
        other_jump = ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        yield _Change(f"{ast.unparse(node)}: the other jump", node, other_jump)
    elif isinstance(node, ast.AugAssign | ast.Raise | ast.Delete) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Yield)
    ):
        yield _Change(f"{ast.unparse(node)}: taken out", node, None)


def _compared(node: ast.Compare) -> Iterator[_Change]:
    if len(node.ops) == 1:
        for other in COMPARED[type(node.ops[0])]:
            words = f"{ast.unparse(node)}: {type(node.ops[0]).__name__} becomes {other.__name__}"
            yield _Change(words, node, ast.Compare(node.left, [other()], node.comparators))


def _constant(node: ast.Constant) -> Iterator[_Change]:
    value = node.value
    if isinstance(value, bool):
        yield _Change(f"{value} becomes {not value}", node, ast.Constant(not value))
    elif isinstance(value, int):
        yield _Change(f"{value} becomes {value + 1}", node, ast.Constant(value + 1))


def _noticed(node: ast.AST) -> Iterator[ast.AST]:
    """Everything of which a change could be noticed."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_unnoticed(child):
                yield from _noticed(child)


def _is_unnoticed(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) in ("__slots__", "__all__")
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Constant):
        return True
    call = node.value
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in UNNOTICED
    )
