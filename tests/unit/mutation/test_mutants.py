"""Each kind of mutant is made, and what nobody could notice is left alone."""

import ast

import pytest

from tests.mutation.__main__ import ROOT, interval
from tests.mutation.mutants import mutants
from tests.mutation.packages import PACKAGES


def made(source: str) -> set[str]:
    """The texts of all mutants, as Python writes them."""
    return {mutant.source for mutant in mutants(source)}


@pytest.mark.parametrize(
    ("source", "mutant"),
    [
        ("x = a < b", "x = a <= b"),
        ("x = a < b", "x = a >= b"),
        ("x = a in b", "x = a not in b"),
        ("x = a is None", "x = a is not None"),
        ("x = a + b", "x = a - b"),
        ("x = a and b", "x = a or b"),
        ("x = not a", "x = a"),
        ("x = 3", "x = 4"),
        ("x = True", "x = False"),
        ("if a:\n    f()", "if not a:\n    f()"),
        ("x = b if a else c", "x = b if not a else c"),
        ("def f():\n    return g()", "def f():\n    return None"),
        ("for a in b:\n    break", "for a in b:\n    continue"),
        ("f()\ng()", "pass\ng()"),
        ("x += 1\ny = 'a'", "pass\ny = 'a'"),
        ("raise ValueError", "pass"),
        ("del a[b]", "pass"),
    ],
)
def test_a_kind_of_fault_is_made(source: str, mutant: str) -> None:
    assert mutant in made(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""Says 3 < 4."""',
        "__slots__ = ('a', 'b')",
        "import a",
        "log.info('a', b=3)",
        "assert a is not None",
        "def f(a: Annotated[int, 3]) -> Literal[4]:\n    pass",
        "x = f'{a + 3}'",
        "yield_ = 'a'",
    ],
)
def test_what_nobody_could_notice_is_left_alone(source: str) -> None:
    assert made(source) == set()


def test_every_mutant_is_one_fault_in_a_module_that_can_be_read() -> None:
    source = (ROOT / "backend/deskbus/bus/trie.py").read_text("utf-8")
    found = mutants(source)
    assert len(found) == len({mutant.source for mutant in found}) > 80
    whole = ast.unparse(ast.parse(source)).splitlines()
    for mutant in found:
        lines = mutant.source.splitlines()
        assert lines != whole
        assert mutant.line > 0


def test_modules_and_tests_of_the_table_are_there() -> None:
    for package in PACKAGES.values():
        assert all((ROOT / "backend/deskbus" / each).is_file() for each in package.modules)
        assert all((ROOT / "tests" / each).exists() for each in package.tests)


def test_known_equivalents_are_mutants_of_today() -> None:
    for package in PACKAGES.values():
        for module, known in package.equivalent.items():
            source = (ROOT / "backend/deskbus" / module).read_text("utf-8")
            assert set(known) <= {mutant.words for mutant in mutants(source)}


def test_the_interval_is_wilsons() -> None:
    """The example of 81 successes in 263 trials (Newcombe 1998, table II)."""
    low, high = interval(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
