"""The log picks the broker's lines by topic, time and seq, whatever a sender chose."""

import json
import tempfile
from functools import partial
from operator import eq
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient
from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.log.batch import Messages
from deskbus.persistence.log.message_log import MessageLog
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from tests.support.bus_access import OpenAccess

WORDS = st.sampled_from(['"', ',"seq":9', ',"timestamp":9', ',"sender":', "x", "\\"])
TEXTS = st.lists(WORDS, min_size=1, max_size=4).map("".join)


@pytest.mark.requirement("2.5")
@given(st.lists(st.tuples(TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS)), min_size=1, max_size=6))
def test_a_line_is_found_by_its_own_stamps(sent: list[tuple[str, str, dict[str, str]]]) -> None:
    now = [1000]
    broker = MessageBroker("e1", OpenAccess(), clock_ms=lambda: now[0])
    sender = BusClient(ClientId("desk.feed", "main"), "e1")
    batch = Messages(0)
    for number, (topic, correlation, headers) in enumerate(sent):
        now[0] = 1000 + number
        payload = Raw(json.dumps(headers).encode())
        options = PublishParams(
            topic=topic, payload=payload, headers=headers or UNSET, correlation_id=correlation
        )
        state = broker.publish(sender, topic, payload, options)
        batch.add(topic, state.seq, state.timestamp, state.history[-1])
    with tempfile.TemporaryDirectory() as folder:
        log = MessageLog(Path(folder) / "log", clock_ms=lambda: 0)
        log.open()
        assert log.write([batch], sync=False).error is None
        for number, (topic, _, _) in enumerate(sent):
            query = LogQuery(from_ms=1000 + number, to_ms=1001 + number, wants=partial(eq, topic))
            found = b"".join(block.lines for block in log.read(query))
            assert found == batch.lines[number]
        log.close()
