"""Messages of a block reach the log together, and in the order of their topic."""

import json
from collections.abc import Sequence

import pytest
from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus.rpc.compact_frames import CompactParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from tests.support.bus_access import OpenAccess
from tests.support.memory_bus import MemoryLog


class Grouped(MemoryLog):
    """Keeps the calls too; `secret` topics are admitted one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, list[int]]] = []

    def persists(self, topic: str) -> bool:
        return True

    def is_sensitive(self, topic: str) -> bool:
        return topic.startswith("secret")

    def admit(self, topic: str, *, remote: bool = False) -> bool:
        self.calls.append((f"admit {topic}", []))
        return False

    def append(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None:
        self.calls.append((topic, [seq]))

    def extend(self, topic: str, first_seq: int, timestamp_ms: int, lines: Sequence[bytes]) -> None:
        seqs = [json.loads(line)["params"]["seq"] for line in lines]
        assert seqs == list(range(first_seq, first_seq + len(lines)))
        self.calls.append((topic, seqs))


class Echo:
    """A reader in the process, that publishes when it is told of a message."""

    def __init__(self, broker: MessageBroker, client: BusClient) -> None:
        self._broker = broker
        self._client = client

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        if json.loads(line)["params"]["payload"] == "again":
            self._broker.publish(self._client, "a", Raw(b'"echo"'))


@pytest.fixture
def log() -> Grouped:
    return Grouped()


@pytest.fixture
def broker(log: Grouped) -> MessageBroker:
    return MessageBroker("e1", OpenAccess(), log, clock_ms=lambda: 1)


def refuse(error: DeskbusError, _: str) -> None:
    assert error.kind is UNAVAILABLE


def said(*messages: tuple[str, bytes]) -> list[CompactParams]:
    return [CompactParams(topic, Raw(payload)) for topic, payload in messages]


def test_messages_of_a_block_are_given_to_the_log_by_topic(
    broker: MessageBroker, log: Grouped
) -> None:
    client = BusClient(ClientId("app", "main"), "e1")
    broker.publish_plain(client, said(("a", b"1"), ("a", b"2"), ("b", b"3"), ("a", b"4")), refuse)
    assert log.calls == [("a", [1, 2]), ("b", [1]), ("a", [3])]


def test_each_sensitive_message_is_in_the_log_before_the_next_is_admitted(
    broker: MessageBroker, log: Grouped
) -> None:
    client = BusClient(ClientId("app", "main"), "e1")
    broker.publish_plain(client, said(("a", b"1"), ("secret", b"2"), ("secret", b"3")), refuse)
    admit: tuple[str, list[int]] = ("admit secret", [])
    assert [call for call in log.calls if call[0] != "a"] == [
        *(admit, ("secret", [1]), admit, ("secret", [2]))
    ]


def test_a_reader_that_publishes_meanwhile_keeps_the_topic_in_order(
    broker: MessageBroker, log: Grouped
) -> None:
    client = BusClient(ClientId("app", "main"), "e1")
    inside = BusClient(ClientId("inside", "main"), "e1")
    broker.subscribe(inside, "a", Reader(inside, Rank.LIVE, Echo(broker, inside)))
    block = said(("a", b"1"), ("a", b'"again"'), ("a", b"3"))
    broker.publish_plain(client, block, refuse)
    seqs = [seq for topic, some in log.calls if topic == "a" for seq in some]
    assert sorted(seqs) == [1, 2, 3, 4]
    assert seqs == sorted(seqs)
