"""Requests and answers without tasks: the outcomes and the bounds of dispatched calls."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgspec
import pytest
from msgspec import Raw

from deskbus.bus.ingress.rate_limit import HOLD_S
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.calls_in_progress import MAX_IN_FLIGHT
from deskbus.rpc.dispatch.dispatcher import Dispatcher
from deskbus.rpc.peer import Peer
from deskbus_protocol.errors import (
    CANCELLED,
    INVALID_PARAMS,
    INVALID_REQUEST,
    INVALID_TOPIC,
    NO_SUBSCRIBER,
    NOT_FOUND,
    OVERLOADED,
    PERMISSION_DENIED,
    PERMISSION_REVOKED,
    RATE_LIMITED,
    RESPONDER_FAILED,
    SESSION_REQUIRED,
    TIMEOUT,
)
from deskbus_protocol.events import Violation
from deskbus_protocol.manifest import Limits
from deskbus_protocol.permissions import Grant
from tests.support.linked_backend import LinkClient, LinkedBackend, linked_backend
from tests.unit.security.desk import TICKER, says

ASKER = "desk.ticker"


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods that went by the dispatcher."""
    methods: list[str] = []
    dispatch = Dispatcher.dispatch

    async def note(self: Dispatcher, call: Call, method: str, params: Raw, at: bytes) -> bytes:
        methods.append(method)
        return await dispatch(self, call, method, params, at)

    monkeypatch.setattr(Dispatcher, "dispatch", note)
    return methods


@pytest.fixture
async def backend(anyio_backend: str) -> AsyncIterator[LinkedBackend]:
    async with linked_backend() as built:
        yield built


async def responder(
    backend: LinkedBackend, pattern: str = "t.#", app: str = "app.responder"
) -> LinkClient:
    caller = await backend.connect(app)
    await caller.call("bus.subscribe", {"pattern": pattern})
    return caller


async def until(holds: Any) -> None:
    with anyio.fail_after(20):
        while not holds():
            await anyio.lowlevel.checkpoint()


def asked(caller: LinkClient) -> list[dict[str, Any]]:
    return [params for method, params in caller.told if method == "bus.message"]


async def next_question(caller: LinkClient, at: int = 0) -> dict[str, Any]:
    await until(lambda: len(asked(caller)) > at)
    return asked(caller)[at]


async def outcomes(caller: LinkClient, count: int) -> dict[int, Any]:
    """Results, or codes of errors, by the number of the call."""
    await until(lambda: len(caller.unasked) >= count)
    return {
        frame.id: frame.error["code"] if frame.error else frame.result
        for frame in caller.unasked
        if frame.id is not None
    }


async def test_neither_request_nor_answer_is_dispatched(
    backend: LinkedBackend, dispatched: list[str]
) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    dispatched.clear()
    asks.say_as(7, "bus.request", {"topic": "t.a", "payload": {"n": 1}, "correlationId": "own"})
    question = await next_question(answers)
    assert question["correlationId"] == "own"
    await answers.call("bus.respond", {"replyTo": question["replyTo"], "payload": [2]})
    assert (await outcomes(asks, 1))[7] == {
        "payload": [2],
        "app": "app.responder",
        "client": "main",
        "correlationId": "own",
    }
    assert dispatched == []


async def test_a_block_of_requests_and_a_block_of_answers_are_taken_as_one(
    backend: LinkedBackend, dispatched: list[str]
) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    dispatched.clear()
    for number in range(50):
        asks.say_as(number + 100, "bus.request", {"topic": "t.a", "payload": number})
    await until(lambda: len(asked(answers)) == 50)
    for number, question in enumerate(asked(answers)):
        assert question["payload"] == number
        told = {"replyTo": question["replyTo"], "payload": -number}
        answers.say_as(number + 200, "bus.respond", told)
    found = await outcomes(asks, 50)
    assert [found[number + 100]["payload"] for number in range(50)] == [-n for n in range(50)]
    assert found[100]["correlationId"] == asked(answers)[0]["id"]
    assert list((await outcomes(answers, 50)).values()) == [{}] * 50
    assert dispatched == []


async def test_only_the_call_among_messages_is_read_by_itself(
    backend: LinkedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    accept = Peer._accept

    def note(self: Peer, text: bytes, answer: Any) -> Any:
        read.append(msgspec.json.decode(text)["method"])
        return accept(self, text, answer)

    answers, asks = await responder(backend), await backend.connect(ASKER)
    monkeypatch.setattr(Peer, "_accept", note)
    meta = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    for number in range(300):
        traced = {"_meta": meta} if number % 100 == 50 else {}
        asks.say("bus.publish", {"topic": "t.a", "payload": number, **traced})
        if number == 170:
            asks.say("session.ping", {})
    await until(lambda: len(asked(answers)) == 300)
    assert [message["payload"] for message in asked(answers)] == list(range(300))
    assert {m["payload"]: m["_meta"] for m in asked(answers) if "_meta" in m} == dict.fromkeys(
        (50, 150, 250), meta
    )
    assert read == ["session.ping"]


async def test_a_confirmed_message_with_a_trace_context_is_answered_once(
    backend: LinkedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, sender = await responder(backend, "#"), await backend.connect(ASKER)
    monkeypatch.setattr(Peer, "_accept", None)
    meta = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    for number, topic in enumerate(("t.a", "t..a", "t.b")):
        params = {"topic": topic, "payload": number, "_meta": meta}
        durable = {"durable": True} if number == 2 else {}
        sender.say_as(number + 1, "bus.publish", params | durable)
    found = await outcomes(sender, 3)
    assert (found[1]["seq"], found[2], found[3]["receivers"]) == (1, INVALID_TOPIC.code, 1)
    assert [message["_meta"] for message in asked(reader)] == [meta, meta]


async def test_an_answer_is_told_what_it_was(backend: LinkedBackend) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    asks.say_as(7, "bus.request", {"topic": "t.a", "payload": 1})
    asks.say_as(8, "bus.request", {"topic": "t.a", "payload": 2})
    refuses = await next_question(answers)
    fault = {"message": "The market is closed."}
    await answers.call("bus.respond", {"replyTo": refuses["replyTo"], "error": fault})
    assert (await outcomes(asks, 1))[7] == RESPONDER_FAILED.code
    token = (await next_question(answers, 1))["replyTo"]
    both = await answers.ask("bus.respond", {"replyTo": token, "payload": 1, "error": fault})
    neither = await answers.ask("bus.respond", {"replyTo": token})
    assert both.error is not None
    assert neither.error is not None
    assert both.error["code"] == neither.error["code"] == INVALID_PARAMS.code
    await answers.call("bus.respond", {"replyTo": token, "payload": 1})
    again = await answers.ask("bus.respond", {"replyTo": token, "payload": 1})
    assert again.error is not None
    assert again.error["code"] == NOT_FOUND.code


async def test_an_answer_counts_only_from_who_was_asked_and_the_refusal_is_recorded(
    backend: LinkedBackend,
) -> None:
    answers, asks, other = (
        await responder(backend),
        await backend.connect(ASKER),
        await backend.connect("spy"),
    )
    asks.say_as(7, "bus.request", {"topic": "t.a", "payload": 1})
    token = (await next_question(answers))["replyTo"]
    for number in (1, 2):
        other.say_as(number, "bus.respond", {"replyTo": token, "payload": "forged"})
    assert set((await outcomes(other, 2)).values()) == {PERMISSION_DENIED.code}
    backend.violations.tell()
    assert "Violation" in backend.trail.kinds()
    await answers.call("bus.respond", {"replyTo": token, "payload": "true"})
    assert (await outcomes(asks, 1))[7]["payload"] == "true"


async def test_without_a_responder_the_request_fails_at_once(backend: LinkedBackend) -> None:
    asks = await backend.connect(ASKER)
    for number in range(3):
        asks.say_as(number, "bus.request", {"topic": "t.a", "payload": number})
    assert set((await outcomes(asks, 3)).values()) == {NO_SUBSCRIBER.code}


async def test_a_responder_that_leaves_ends_the_wait(backend: LinkedBackend) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    asks.say_as(7, "bus.request", {"topic": "t.a", "payload": 1})
    await next_question(answers)
    await answers.leave()
    assert (await outcomes(asks, 1))[7] == NO_SUBSCRIBER.code


async def test_a_request_that_nobody_answers_times_out_and_is_gone(backend: LinkedBackend) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    asks.say_as(7, "bus.request", {"topic": "t.a", "payload": 1, "timeout": 1})
    token = (await next_question(answers))["replyTo"]
    assert (await outcomes(asks, 1))[7] == TIMEOUT.code
    late = await answers.ask("bus.respond", {"replyTo": token, "payload": 1})
    assert late.error is not None
    assert late.error["code"] == NOT_FOUND.code
    assert len(backend.bus.pending_requests) == 0


async def test_a_cancelled_request_is_answered_once(backend: LinkedBackend) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    asks.say_as(7, "bus.request", {"topic": "t.a", "payload": 1})
    token = (await next_question(answers))["replyTo"]
    for _ in range(2):
        asks.say("$/cancelRequest", {"id": 7})
    assert (await outcomes(asks, 1))[7] == CANCELLED.code
    assert (await answers.ask("bus.respond", {"replyTo": token, "payload": 1})).error is not None
    await asks.call("session.ping", {})
    assert len(asks.unasked) == 1
    assert len(backend.bus.pending_requests) == 0


async def test_a_link_that_closes_leaves_no_question_open(backend: LinkedBackend) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    asks.say_as(7, "bus.request", {"topic": "t.a", "payload": 1})
    await next_question(answers)
    await asks.leave()
    await until(lambda: len(backend.bus.pending_requests) == 0)


async def test_requests_in_flight_are_bounded_and_ids_count_once(backend: LinkedBackend) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    for number in range(MAX_IN_FLIGHT + 3):
        asks.say_as(1000 + number, "bus.request", {"topic": "t.a", "payload": number})
    found = await outcomes(asks, 3)
    assert found == {1000 + MAX_IN_FLIGHT + number: OVERLOADED.code for number in range(3)}
    token = (await next_question(answers))["replyTo"]
    await answers.call("bus.respond", {"replyTo": token, "payload": 1})
    await outcomes(asks, 4)
    asks.say_as(1001, "bus.request", {"topic": "t.a", "payload": 0})
    assert (await outcomes(asks, 5))[1001] == INVALID_REQUEST.code


async def test_a_request_before_the_session_is_refused(backend: LinkedBackend) -> None:
    stranger = backend.link()
    answer = await stranger.ask("bus.request", {"topic": "t.a", "payload": 1})
    assert answer.error is not None
    assert answer.error["code"] == SESSION_REQUIRED.code


async def test_parameters_that_break_their_schema_are_refused(backend: LinkedBackend) -> None:
    asks = await backend.connect(ASKER)
    for params in ({"topic": "t.a"}, {"topic": "t.a", "payload": 1, "timeout": 0}, {"payload": 1}):
        answer = await asks.ask("bus.request", params)
        assert answer.error is not None
        assert answer.error["code"] == INVALID_PARAMS.code
        assert answer.error["message"].startswith("bus.request: ")


async def test_an_app_over_its_rate_is_refused_and_not_read_from(
    backend: LinkedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    backend.sessions.rate_limits.limit(ASKER, Limits(messages_per_s=2))
    held: list[float] = []
    peer = next(c.peer for who, c in backend.sessions._open.items() if who.app == ASKER)
    monkeypatch.setattr(peer._link, "hold", held.append)
    for number in range(2):
        asks.say("bus.publish", {"topic": "t.a", "payload": number})
    for number in range(2):
        asks.say_as(number, "bus.request", {"topic": "t.a", "payload": number})
    assert set((await outcomes(asks, 2)).values()) == {RATE_LIMITED.code}
    assert [message["payload"] for message in asked(answers)] == [0, 1]
    assert held == [HOLD_S] * 2


async def test_what_one_client_sends_in_any_way_stays_in_order(backend: LinkedBackend) -> None:
    answers, asks = await responder(backend), await backend.connect(ASKER)
    for number in range(0, 30, 3):
        asks.say("bus.publish", {"topic": "t.a", "payload": number})
        asks.say_as(100 + number, "bus.request", {"topic": "t.a", "payload": number + 1})
        to = {"app": "app.responder", "topic": "t.a", "payload": number + 2}
        asks.say_as(200 + number, "bus.send", to)
    await until(lambda: len(asked(answers)) == 30)
    assert [message["payload"] for message in asked(answers)] == list(range(30))


async def test_a_request_without_an_id_is_asked_and_its_failure_told(
    backend: LinkedBackend,
) -> None:
    answers, asks = await responder(backend, "t.a"), await backend.connect(ASKER)
    asks.say("bus.request", {"topic": "t.a", "payload": 1})
    assert "replyTo" in await next_question(answers)
    await answers.leave()
    await until(lambda: any(method == "bus.refused" for method, _ in asks.told))


@pytest.mark.requirement("3.2")
class TestPermissions:
    """Where a person has to be asked the request waits for that, as any dispatched call."""

    async def test_a_person_is_asked_first(self, dispatched: list[str]) -> None:
        async with linked_backend("ask") as backend, backend.desk.running():
            backend.desk.person = says("allow")
            answers = await developer(backend)
            asks = await backend.connect(ASKER)
            asks.say_as(7, "bus.request", {"topic": "orders.new", "payload": 1})
            token = (await next_question(answers))["replyTo"]
            assert dispatched.count("bus.request") == 1
            await answers.call("bus.respond", {"replyTo": token, "payload": 2})
            assert (await outcomes(asks, 1))[7]["payload"] == 2
            # A permission for once is used up: the person is asked anew.
            backend.desk.person = says("deny")
            asks.say_as(8, "bus.request", {"topic": "orders.new", "payload": 1})
            assert (await outcomes(asks, 2))[8] == PERMISSION_DENIED.code

    async def test_what_is_granted_is_not_dispatched_and_ends_when_taken_back(
        self, dispatched: list[str]
    ) -> None:
        async with linked_backend("ask") as backend, backend.desk.running():
            backend.desk.person = says("allow", "session")
            answers = await developer(backend)
            asks = await backend.connect(ASKER)
            wanted = Grant("messaging.write", "orders.#")
            assert await backend.desk.security.permissions.request(TICKER, wanted)
            dispatched.clear()
            asks.say_as(7, "bus.request", {"topic": "orders.new", "payload": 1})
            await next_question(answers)
            assert dispatched == []
            backend.desk.security.forget_session(ASKER)
            backend.bus.grants_changed(ASKER, 99)
            assert (await outcomes(asks, 1))[7] == PERMISSION_REVOKED.code

    async def test_a_refusal_is_recorded_as_that_of_any_call(self) -> None:
        async with linked_backend("deny") as backend:
            asks = await backend.connect(ASKER)
            asks.say_as(7, "bus.request", {"topic": "orders.new", "payload": 1})
            assert (await outcomes(asks, 1))[7] == PERMISSION_DENIED.code
            backend.violations.tell()
            [violation] = [
                event
                for event in (*backend.trail.noted, *backend.trail.committed)
                if isinstance(event, Violation)
            ]
            assert (violation.kind, violation.method) == ("permission", "bus.request")


async def developer(backend: LinkedBackend) -> LinkClient:
    """A responder that reads without asking anybody: its session is a tool's."""
    caller = await backend.operator()
    await caller.call("bus.subscribe", {"pattern": "orders.#"})
    return caller
