import msgspec
from msgspec import Raw

from deskbus.commands.fdc3 import channel_rows, context_rows, intent_rows, trace_rows, who_rows
from deskbus_protocol.audit import AuditPage, AuditRecord
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import (
    Fdc3Channel,
    Fdc3Channels,
    Fdc3Contexts,
    Fdc3Intent,
    Fdc3Intents,
    Fdc3Listener,
    Fdc3Trace,
    Fdc3TraceEntry,
    LastContext,
)

CHART = ClientId("desk.chart", "window")
LISTENER = Fdc3Listener(app="desk.chart", instance_id="one", intent="ViewChart")


def test_channels_are_shown_with_how_many_are_on_them() -> None:
    red = Fdc3Channel(
        id="fdc3.channel.1",
        type="user",
        name="Channel 1",
        context_types=["fdc3.contact", "x"],
        members=["one", "two"],
        listeners=[LISTENER],
    )
    _, row = channel_rows(Fdc3Channels(channels=[red]))
    assert row == ["fdc3.channel.1", "user", "Channel 1", "2", "1", "fdc3.contact, x"]


def test_contexts_are_shown_with_their_sender_and_time() -> None:
    last = LastContext(
        channel="red",
        type="x",
        context=Raw(b'{"type":"x"}'),
        source=CHART,
        timestamp=1_700_000_000_000,
        trace_id="t",
    )
    _, row = context_rows(Fdc3Contexts(contexts=[last]))
    at = "2023-11-14 22:13:20"
    assert row == ["red", "x", "desk.chart/window", at, "t", '{"type":"x"}']


def test_intents_are_shown_with_who_listens() -> None:
    heard = Fdc3Intent(intent="ViewChart", apps=["Chart"], listeners=[LISTENER])
    quiet = Fdc3Intent(intent="ViewNews", apps=["Chart", "News"], listeners=[])
    _, one, other = intent_rows(Fdc3Intents(intents=[heard, quiet]))
    assert one == ["ViewChart", "Chart", "desk.chart one"]
    assert other == ["ViewNews", "Chart, News", "–"]


def test_the_trace_shows_who_got_what() -> None:
    entry = Fdc3TraceEntry(
        timestamp=1_700_000_000_000,
        trace_id="t",
        kind="broadcast",
        source=CHART,
        to=[ClientId("a", "b"), CHART],
        context_type="x",
        channel="red",
    )
    _, row = trace_rows(Fdc3Trace(entries=[entry]))
    assert row[1:] == ["broadcast", "desk.chart/window", "a/b, desk.chart/window", "x", "red", "t"]


def test_who_saw_a_context_is_shown_with_who_allowed_it() -> None:
    record = msgspec.convert(
        {
            "seq": 1,
            "time": 1_700_000_000_000,
            "mono": 1,
            "boot": "b",
            "type": "fdc3.delivered",
            "app": "desk.blotter",
            "client": "main",
            "severity": "info",
            "actor": "system",
            "traceId": "t",
            "details": {
                "kind": "broadcast",
                "contextType": "fdc3.instrument",
                "channel": "red",
                "allowedBy": "config",
                "readers": "desk.chart/main (person: always)",
                "count": 1,
            },
        },
        AuditRecord,
    )
    _, row = who_rows(AuditPage(records=[record], total=1))
    at = "2023-11-14 22:13:20"
    seen = "desk.chart/main (person: always)"
    assert row == [at, "desk.blotter/main", "config", "fdc3.instrument", "red", seen]
