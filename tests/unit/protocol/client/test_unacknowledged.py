"""The messages that Python's client knows to be unacknowledged."""

import pytest
from msgspec import UNSET, Raw

from deskbus_protocol.bus import (
    DIRECTED_SEQ,
    MAX_REDELIVERIES,
    MAX_RUNS,
    MAX_UNACKNOWLEDGED,
    MessageParams,
    Unacknowledged,
)
from deskbus_protocol.client.unacknowledged import UnacknowledgedMessages
from deskbus_protocol.envelope import ClientId

pytestmark = pytest.mark.requirement("6.3")


def message(
    topic: str, seq: int, *, epoch: str = "e1", at: int = 0, redelivery: int = 0
) -> MessageParams:
    return MessageParams(
        id="i",
        topic=topic,
        sender=ClientId("feed", "main"),
        payload=Raw(b"1"),
        timestamp=at or seq,
        epoch=epoch,
        seq=seq,
        correlation_id="c",
        redelivery=redelivery or UNSET,
    )


@pytest.fixture
def known() -> UnacknowledgedMessages:
    made = UnacknowledgedMessages()
    made.join("jobs.#")
    return made


def test_what_is_acknowledged_is_not_asked_for_again(known: UnacknowledgedMessages) -> None:
    for each in (message("jobs.a", 5), message("jobs.b", 6), message("jobs.a", 7)):
        known.arrived(each)
    known.acknowledged(message("jobs.b", 6))
    assert known.behind("jobs.#") == Unacknowledged(since=5, seqs={"e1": {"jobs.a": [5, 7]}})
    assert known.behind("jobs.b") is None


@pytest.mark.parametrize(
    "other",
    [
        message("news", 1),
        message("jobs.a", DIRECTED_SEQ + 1),
        message("jobs.a", 1, redelivery=MAX_REDELIVERIES),
    ],
    ids=["live", "to one app alone", "for the last time"],
)
def test_these_do_not_come_again(known: UnacknowledgedMessages, other: MessageParams) -> None:
    known.arrived(message("jobs.a", 1))
    known.acknowledged(message("jobs.a", 1))
    known.arrived(other)
    assert known.behind("#") is None


def test_a_pattern_that_is_left_or_read_live_takes_its_messages_with_it(
    known: UnacknowledgedMessages,
) -> None:
    known.join("jobs.a")
    known.arrived(message("jobs.a", 1))
    known.arrived(message("jobs.b", 2))
    known.leave("jobs.#")
    assert known.behind("#") == Unacknowledged(since=1, seqs={"e1": {"jobs.a": [1]}})


def test_only_so_many_messages_and_runs_are_known(known: UnacknowledgedMessages) -> None:
    for seq in range(1, MAX_UNACKNOWLEDGED + 2):
        known.arrived(message("jobs.a", seq))
    found = known.behind("jobs.#")
    assert found is not None
    assert (found.since, len(found.seqs["e1"]["jobs.a"])) == (2, MAX_UNACKNOWLEDGED)
    for run in range(2, MAX_RUNS + 3):
        known.arrived(message("jobs.a", 1, epoch=f"e{run}", at=10_000))
    found = known.behind("jobs.#")
    assert found is not None
    assert found.since == 10_000
    assert set(found.seqs) == {f"e{run}" for run in range(3, MAX_RUNS + 3)}
