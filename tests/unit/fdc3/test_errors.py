"""Errors of the agent: those of the standard's enumerations, each of them told by some test."""

from pathlib import Path
from typing import Any, cast, get_args

import pytest

from deskbus.components.fdc3.fdc3_choices import PersonChooses
from deskbus.fdc3.directory.icons import Icons
from deskbus.fdc3.errors import DacpError, ErrorText
from deskbus.fdc3.ports import Candidate
from deskbus.fdc3.state import deliveries
from deskbus.languages.language import english
from deskbus.ui.choice_dialogs import ChoiceDialogs
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import TIMEOUT, UNAVAILABLE, DeskbusError, ErrorKind
from tests.unit.fdc3.desk import INSTRUMENT, Desk

pytestmark = pytest.mark.requirement("F")

TESTS = Path(__file__).parents[2]


class Nobody:
    """Dialogs in front of which nobody sits."""

    language = english()

    def __init__(self, kind: ErrorKind) -> None:
        self._kind = kind

    async def choose(self, *_: object, **__: object) -> None:
        raise DeskbusError(self._kind)


@pytest.mark.parametrize(
    ("kind", "error"), [(TIMEOUT, "ResolverTimeout"), (UNAVAILABLE, "ResolverUnavailable")]
)
async def test_a_choice_that_nobody_makes_is_an_error_of_the_resolver(
    kind: ErrorKind, error: str
) -> None:
    desk = Desk()

    async def remember(*_: object) -> None:
        raise AssertionError("nothing was chosen")

    dialogs = cast("ChoiceDialogs", Nobody(kind))
    chooser = PersonChooses(dialogs, lambda: desk.agent, lambda _: None, remember, Icons())
    candidates = [Candidate("ViewChart", "chart"), Candidate("ViewChart", "News@example.com")]
    with pytest.raises(DacpError) as caught:
        await chooser.choose(ClientId("blotter", "window"), candidates, "fdc3.instrument")
    assert caught.value.text == error


async def test_an_agent_with_too_much_that_waits_says_so_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliveries, "MAX_WAITING", 0)
    desk = Desk()
    blotter = desk.join("blotter")
    asked: dict[str, dict[str, Any]] = {
        "raiseIntent": {"intent": "ViewChart", "context": INSTRUMENT},
        "open": {"app": {"appId": "chart"}, "context": INSTRUMENT},
    }
    async with desk.service.running():
        for method, payload in asked.items():
            assert await blotter.ask(method, **payload) == {"error": "ApiTimeout"}


def test_every_error_of_the_standard_is_the_answer_in_some_test() -> None:
    here = Path(__file__)
    files = [path.read_text("utf-8") for path in TESTS.rglob("test_*fdc3*.py")]
    files += [path.read_text("utf-8") for path in here.parent.rglob("test_*.py")]
    unknown = [text for text in get_args(ErrorText) if not any(f'"{text}"' in f for f in files)]
    assert unknown == []
