"""Patterns hold to the very end of a text: in Structs, in schemas, and where code compiles one."""

import ast
import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, inspect

import deskbus
import deskbus_protocol

ROOT = Path(__file__).parents[3]
ANY_DOLLAR = re.compile(r"(?<!\\)\$(?!\(\?!\\n\))")
"""A `$` that is neither escaped nor followed by the look-ahead that makes it the end."""


def structs() -> list[type[msgspec.Struct]]:
    for package in (deskbus, deskbus_protocol):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", "launcher", "procfs", "windows_pipe")):
                try:
                    import_module(module.name)
                except (ImportError, AssertionError):
                    continue
    found: list[type[msgspec.Struct]] = []
    waiting: list[type[msgspec.Struct]] = [msgspec.Struct]
    while waiting:
        for below in waiting.pop().__subclasses__():
            found.append(below)
            waiting.append(below)
    return [each for each in found if each.__module__.startswith("deskbus")]


def patterns_of(kind: Any) -> Iterator[str]:
    """All in a type of `msgspec.inspect`, but not in Structs that it leads to."""
    if isinstance(kind, inspect.StrType) and kind.pattern is not None:
        yield kind.pattern
    for name in ("type", "item_type", "key_type", "value_type"):
        if isinstance(below := getattr(kind, name, None), inspect.Type):
            yield from patterns_of(below)
    for below in (*getattr(kind, "types", ()), *(getattr(kind, "item_types", None) or ())):
        yield from patterns_of(below)


def all_patterns() -> dict[str, str]:
    """Each with a place at which it is."""
    found = {}
    for struct in structs():
        for field in inspect.type_info(struct).fields:  # type: ignore[attr-defined]
            for pattern in patterns_of(field.type):
                found[pattern] = f"{struct.__name__}.{field.name}"
    return found


FITTING = (
    *("a", "a.b", "A", "*", "a.*", "#a0b1c2", "https://a", "file:///a"),
    *("a" * count for count in (8, 16, 32)),
    "data:image/png;base64,iVBORw==",
    "123 456",
)


def test_no_field_takes_a_text_with_a_newline_behind_it() -> None:
    patterns = all_patterns()
    assert len(patterns) >= 8
    for pattern, place in patterns.items():
        wanted = msgspec.defstruct("One", [("text", Annotated[str, Meta(pattern=pattern)])])
        fitting = [text for text in FITTING if re.search(pattern, text)]
        assert fitting, f"{place}: nothing fits {pattern}"
        for text in fitting:
            msgspec.convert({"text": text}, wanted)
            for end in ("\n", "\r", "\r\n", "\n\n", "\x00"):
                with pytest.raises(msgspec.ValidationError):
                    msgspec.convert({"text": text + end}, wanted)


def test_every_pattern_of_every_schema_ends_where_the_text_does() -> None:
    def patterns(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("pattern"), str) and value.get("type") == "string":
                yield value["pattern"]
            for below in value.values():
                yield from patterns(below)
        elif isinstance(value, list):
            for below in value:
                yield from patterns(below)

    seen = set()
    for file in (ROOT / "schemas").rglob("*.json"):
        for pattern in patterns(json.loads(file.read_bytes())):
            seen.add(pattern)
            assert pattern.endswith(r"$(?!\n)"), f"{file.name}: {pattern}"
            assert not ANY_DOLLAR.search(pattern), f"{file.name}: {pattern}"
    assert seen


def test_no_regular_expression_in_the_sources_ends_in_a_bare_dollar() -> None:
    for file in [*(ROOT / "protocol").rglob("*.py"), *(ROOT / "backend").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_bytes())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            arguments = [*node.args[:1]] if name.startswith("re.") else []
            arguments += [each.value for each in node.keywords if each.arg == "pattern"]
            for constant in arguments:
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str | bytes):
                    text = constant.value
                    words = text if isinstance(text, str) else text.decode("latin-1")
                    assert not ANY_DOLLAR.search(words), f"{file.name}:{node.lineno}: {words}"
