"""Each event of the catalogue is recorded by something."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from deskbus_protocol.events import AuditEvent, Event

BACKEND = Path(__file__).resolve().parents[3] / "backend/deskbus"
KINDS: list[type[Event]] = [
    kind for kind in get_args(AuditEvent) if not str(kind.__struct_config__.tag).startswith("web.")
]


@pytest.fixture(scope="module")
def made() -> set[str]:
    """The classes of which any module makes an instance."""
    names: set[str] = set()
    for path in BACKEND.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                names.add(called.id if isinstance(called, ast.Name) else ast.unparse(called))
    return names


@pytest.mark.requirement("8.1")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__struct_config__.tag)
def test_an_event_of_the_catalogue_is_recorded_somewhere(kind: type[Event], made: set[str]) -> None:
    assert kind.__name__ in {name.rpartition(".")[2] for name in made}
