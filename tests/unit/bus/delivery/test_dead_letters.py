"""Dead letters: a thousand, the newest, with reason and envelope."""

import pytest

from deskbus.bus.delivery import dead_letters
from deskbus.bus.delivery.dead_letters import MAX_LETTERS, DeadLetterQueue
from deskbus_protocol.envelope import ClientId
from tests.support.messages import Mint, read

READER = ClientId("desk.blotter", "main")


@pytest.fixture
def letters() -> DeadLetterQueue:
    return DeadLetterQueue(lambda: 1234)


@pytest.mark.requirement("1.4")
def test_a_letter_keeps_its_reason_its_reader_and_the_message_as_it_was(
    letters: DeadLetterQueue,
) -> None:
    line, topic, seq = Mint().line("orders.new", {"qty": 5})
    letters.add("retries_spent", READER, line, topic, seq, attempts=4)
    (letter,) = letters.newest(10)
    assert (letter.reason, letter.attempts, letter.died_at) == ("retries_spent", 4, 1234)
    assert (letter.app, letter.client) == ("desk.blotter", "main")
    assert bytes(letter.message) in line
    assert read(line)["payload"] == {"qty": 5}


@pytest.mark.requirement("1.4")
def test_the_newest_thousand_are_kept_and_all_are_counted(letters: DeadLetterQueue) -> None:
    line, topic, _ = Mint().line()
    for seq in range(MAX_LETTERS + 5):
        letters.add("overflow", READER, line, topic, seq)
    assert len(letters) == MAX_LETTERS
    assert letters.newest(1)[0].number == MAX_LETTERS + 5
    assert letters.counts["overflow"] == MAX_LETTERS + 5


def test_letters_are_bounded_in_bytes(
    letters: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, topic, seq = Mint().line("a", "x" * 1000)
    monkeypatch.setattr(dead_letters, "MAX_BYTES", 5 * len(line))
    for _ in range(9):
        letters.add("overflow", READER, line, topic, seq)
    assert len(letters) == 5


def test_letters_are_listed_by_reason_and_taken_by_number(letters: DeadLetterQueue) -> None:
    line, topic, seq = Mint().line()
    letters.add("expired", READER, line, topic, seq)
    letters.add("overflow", READER, line, topic, seq)
    letters.add("expired", READER, line, topic, seq)
    assert [letter.number for letter in letters.newest(10, "expired")] == [3, 1]
    taken = letters.take([1, 2, 77])
    assert [letter.number for letter in taken] == [1, 2]
    letters.put_back(taken)
    assert [letter.number for letter in letters.newest(10)] == [3, 2, 1]
    assert len(letters.take(None)) == 3
    assert len(letters) == 0


@pytest.mark.requirement("1.4")
def test_it_is_full_where_the_next_letter_costs_one(
    letters: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, topic, _ = Mint().line("a", "x" * 1000)
    monkeypatch.setattr(dead_letters, "MAX_LETTERS", 3)
    for number in range(3):
        assert not letters.full
        letters.add("overflow", READER, line, topic, number)
    assert (letters.full, len(letters)) == (True, 3)
    letters.take([2])
    assert (letters.full, len(letters)) == (False, 2)
    monkeypatch.setattr(dead_letters, "MAX_BYTES", 2 * len(line))
    assert (letters.full, len(letters)) == (True, 2)
    letters.take(None)
    assert (letters.full, len(letters)) == (False, 0)


def test_letters_that_are_put_back_count_in_bytes_again(
    letters: DeadLetterQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, topic, seq = Mint().line("a", "x" * 1000)
    monkeypatch.setattr(dead_letters, "MAX_BYTES", 3 * len(line))
    for _ in range(3):
        letters.add("overflow", READER, line, topic, seq)
    letters.put_back(letters.take([1, 3]))
    letters.add("overflow", READER, line, topic, seq)
    assert [letter.number for letter in letters.newest(9)] == [4, 3, 2]


def test_letters_that_are_only_counted_have_numbers_too(letters: DeadLetterQueue) -> None:
    line, topic, seq = Mint().line()
    letters.add("overflow", READER, line, topic, seq)
    letters.count("overflow", 7)
    letters.add("expired", READER, line, topic, seq)
    assert letters.counts == {"overflow": 8, "expired": 1}
    assert [letter.number for letter in letters.newest(9)] == [9, 1]
    assert [letter.attempts for letter in letters.newest(9)] == [0, 0]
    assert letters.newest(0) == []
