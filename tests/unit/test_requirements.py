"""Every requirement and every leaf of the task list has a test that names it."""

import pytest

from tests.requirements_page import (
    PAGE,
    ROOT,
    Leaf,
    leaves,
    marked,
    missing,
    otherwise,
    render,
    requirements,
)

COMMANDS = {
    "unit": "test-quick",
    "integration": "test",
    "load": "load",
    "throughput": "bench",
    "latency": "bench",
    "soak": "soak",
    "fuzzing": "fuzz",
    "permission bypass": "test",
}


def test_every_requirement_is_proven_by_a_test_that_names_it() -> None:
    assert set(marked()) == set(requirements())


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: f"{leaf.task}: {leaf.text}")
def test_every_leaf_of_the_task_list_names_tests_that_are_there(leaf: Leaf) -> None:
    assert leaf.tests
    assert missing(leaf.tests) == []


def test_a_test_that_is_not_there_is_missed() -> None:
    assert missing(["test_trie.py::test_nothing"]) != []
    assert missing(["test_nothing.py::test_nothing"]) != []


def test_what_was_done_otherwise_says_what_stands_in_its_place() -> None:
    tasks = {leaf.task.partition(" ")[0] for leaf in leaves()}
    for leaf, why in otherwise().items():
        assert leaf.partition(" ")[0] in tasks
        assert why.endswith(".")


def test_the_page_is_what_the_marks_say() -> None:
    assert PAGE.read_text("utf-8") == render(), "run: make requirements"


@pytest.mark.requirement("T")
@pytest.mark.parametrize("kind", COMMANDS)
def test_each_kind_of_test_runs_by_one_command(kind: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    _, _, recipe = makefile.partition(f"\n{COMMANDS[kind]}:")
    first, *_ = recipe.split("\n\n")
    assert "pytest" in first.lower() or "-m tests." in first
