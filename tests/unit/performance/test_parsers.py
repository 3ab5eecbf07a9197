"""The readers that the fuzzer works on keep their promise for honest bytes and for old finds."""

import pytest

from tests.performance.fuzzing import guided
from tests.performance.fuzzing.parsers import PARSERS

BROKEN_ONCE = (("settings", b'{"us":[{"":[]}]}'),)
HONEST = [(name, seed) for name, parser in PARSERS.items() for seed in parser.seeds]


def test_every_parser_has_its_turn() -> None:
    assert tuple(PARSERS) == guided.PARSERS


@pytest.mark.requirement("T")
@pytest.mark.parametrize(("name", "data"), [*HONEST, *BROKEN_ONCE])
def test_a_parser_keeps_its_promise(name: str, data: bytes) -> None:
    PARSERS[name].check(data)
    PARSERS[name].check(data[: len(data) // 2])
