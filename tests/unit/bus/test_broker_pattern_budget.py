"""An app's patterns are let in as long as a message is routed quickly past all of them."""

import pytest

from deskbus.bus.broker import MAX_SUBSCRIPTIONS
from deskbus.bus.trie import MAX_VISITS
from deskbus_protocol.bus import Mode
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import INVALID_TOPIC, OVERLOADED, DeskbusError
from deskbus_protocol.history import ReplayParams
from tests.support.memory_bus import BusRun, MemoryLine, MemoryLog

ONE, TWO, OTHER = ClientId("app.one", "a"), ClientId("app.one", "b"), ClientId("app.two", "a")
pytestmark = pytest.mark.requirement("1.2")


@pytest.fixture
def run() -> BusRun:
    made = BusRun(1, MemoryLog(), lambda: 1_000_000)
    for who in (ONE, TWO, OTHER):
        made.bus.attach(who, MemoryLine(), resume=False)
    return made


def costly(number: int) -> str:
    return f"#.a.#.b.#.c.#.n{number}.#"


def crowd(run: BusRun, who: ClientId) -> int:
    """Subscribes until it is refused; how many were let in."""
    for number in range(MAX_SUBSCRIPTIONS):
        try:
            run.bus.subscribe(who, costly(number), "live")
        except DeskbusError as error:
            if error.kind is OVERLOADED:
                return number
            raise
    raise AssertionError("never refused")


def test_one_app_has_one_budget_and_takes_nothing_of_another(run: BusRun) -> None:
    assert 0 < crowd(run, ONE) <= MAX_VISITS
    with pytest.raises(DeskbusError) as refused:
        run.bus.subscribe(TWO, costly(2_000), "live")
    assert refused.value.kind is OVERLOADED
    run.bus.subscribe(OTHER, costly(2_000), "live")


@pytest.mark.parametrize("mode", ["live", "acknowledged"])
def test_a_pattern_that_is_there_already_may_change_its_mode(run: BusRun, mode: Mode) -> None:
    crowd(run, ONE)
    run.bus.subscribe(ONE, costly(0), mode)


def test_what_is_unsubscribed_or_gone_makes_room(run: BusRun) -> None:
    let_in = crowd(run, ONE)
    run.bus.unsubscribe(ONE, costly(0))
    run.bus.subscribe(ONE, costly(2_000), "live")
    run.bus.attach(ONE, MemoryLine(), resume=False)
    assert crowd(run, ONE) == let_in


async def test_a_replay_that_follows_is_no_way_around_it(run: BusRun) -> None:
    crowd(run, ONE)
    with pytest.raises(DeskbusError) as refused:
        await run.replays.replay(ONE, ReplayParams(pattern=costly(2_000), since=0, follow=True))
    assert refused.value.kind is OVERLOADED


def test_a_thousand_plain_wildcards_are_let_in(run: BusRun) -> None:
    for number in range(MAX_SUBSCRIPTIONS):
        run.bus.subscribe(ONE, f"orders.*.item{number}.#", "live")


def test_a_topic_has_at_most_32_levels(run: BusRun) -> None:
    run.publish(".".join(["a"] * 32))
    with pytest.raises(DeskbusError) as refused:
        run.publish(".".join(["a"] * 33))
    assert refused.value.kind is INVALID_TOPIC
