"""The bus from end to end: a real backend, real pipes, every frame checked by its schema."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgspec
import pytest

from deskbus_protocol.bus import RefusedParams
from deskbus_protocol.client import Client, Message, connect_with_ticket
from deskbus_protocol.errors import DeskbusError
from tests.integration.conftest import CONFIG
from tests.integration.shell import LIMIT_S, TestShell, start_shell


@pytest.fixture(scope="module")
async def shell(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestShell]:
    """One for all tests: each has topics, or tickets, of its own."""
    async with start_shell(tmp_path_factory.mktemp("shell") / "data", config=CONFIG) as started:
        yield started


@pytest.fixture(scope="module")
async def open_shell(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestShell]:
    data = tmp_path_factory.mktemp("open") / "data"
    async with start_shell(data, config=CONFIG, consent="allow") as started:
        yield started


@pytest.mark.requirement("7.2")
async def test_messages_flow_in_order_with_their_stamps(shell: TestShell) -> None:
    async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
        async with blotter.subscribe("prices.#") as prices:
            for number in range(1000):
                await feed.publish("prices.flow", {"n": number})
            with anyio.fail_after(LIMIT_S):
                got = [await prices.receive() for _ in range(1000)]
    assert [msgspec.json.decode(message.payload)["n"] for message in got] == list(range(1000))
    assert [message.seq for message in got] == list(range(1, 1001))
    assert {message.epoch for message in got} == {shell.hello.epoch}
    assert len({message.correlation_id for message in got}) == 1000


async def test_a_published_request_tells_its_stamps_and_receivers(shell: TestShell) -> None:
    async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
        async with blotter.subscribe("prices.told"):
            result = await feed.publish("prices.told", 1, confirm=True)
    assert (result.seq, result.receivers, result.epoch) == (1, 1, shell.hello.epoch)


async def test_after_unsubscribing_nothing_more_arrives(shell: TestShell) -> None:
    async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
        async with blotter.subscribe("prices.EURUSD"):
            assert (await feed.publish("prices.EURUSD", 1, confirm=True)).receivers == 1
        assert (await feed.publish("prices.EURUSD", 2, confirm=True)).receivers == 0


@pytest.mark.requirement("7.2")
async def test_trace_context_and_headers_are_passed_through_untouched(shell: TestShell) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
        async with blotter.subscribe("prices.EURUSD") as prices:
            await feed.publish(
                "prices.EURUSD",
                1,
                correlationId="order-7",
                headers={"source": "exchange"},
                _meta={"traceparent": trace},
                confirm=True,
            )
            message = await prices.receive()
    assert message.correlation_id == "order-7"
    assert message.headers == {"source": "exchange"}
    assert message.meta
    assert message.meta.traceparent == trace


@pytest.mark.requirement("3.2")
async def test_a_refused_notification_is_told_once_and_then_counted(shell: TestShell) -> None:
    told: list[RefusedParams] = []
    both = anyio.Event()

    def on_refused(word: RefusedParams) -> None:
        told.append(word)
        if sum(refusal.count for refusal in told) == 50:
            both.set()

    async with shell.app("desk.feed") as feed:
        feed.on_refused = on_refused
        for _ in range(50):
            await feed.publish("orders.new", 1)
        with anyio.fail_after(LIMIT_S):
            await both.wait()
    assert told[0].count == 1
    assert (told[0].topic, told[0].code) == ("orders.new", -32010)
    assert len(told) < 10


async def answer(client: Client, messages: object, reply: object) -> None:
    async for message in messages:  # type: ignore[attr-defined]
        assert isinstance(message, Message)
        await client.answer(message, reply)


@pytest.mark.requirement("7.2")
async def test_a_request_is_answered_by_a_subscriber(open_shell: TestShell) -> None:
    async with open_shell.app("desk.ticker") as ticker, open_shell.app("desk.blotter") as blotter:
        async with (
            blotter.subscribe("orders.prefill") as requests,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(answer, blotter, requests, {"filled": True})
            result = await ticker.request(
                "orders.prefill", {"symbol": "EURUSD"}, correlationId="order-7"
            )
            tasks.cancel_scope.cancel()
    assert msgspec.json.decode(result.payload) == {"filled": True}
    assert (result.app, result.client) == ("desk.blotter", "main")
    assert result.correlation_id == "order-7"


async def test_of_many_who_answer_the_first_answer_counts(open_shell: TestShell) -> None:
    async with (
        open_shell.app("desk.ticker") as asker,
        open_shell.app("desk.blotter") as slow,
        open_shell.app("desk.feed") as quick,
        slow.subscribe("orders.prefill") as asked_slow,
        quick.subscribe("orders.prefill") as asked_quick,
        anyio.create_task_group() as tasks,
    ):

        async def answer() -> None:
            late = await asked_slow.receive()
            await quick.answer(await asked_quick.receive(), "quick")
            with pytest.raises(DeskbusError):
                await slow.answer(late, "slow")

        tasks.start_soon(answer)
        result = await asker.request("orders.prefill", {})
    assert (bytes(result.payload), result.app) == (b'"quick"', "desk.feed")


async def test_a_responder_may_refuse_in_its_own_words(open_shell: TestShell) -> None:
    async with open_shell.app("desk.ticker") as ticker, open_shell.app("desk.blotter") as blotter:
        async with (
            blotter.subscribe("orders.prefill") as requests,
            anyio.create_task_group() as tasks,
        ):

            async def refuse() -> None:
                await blotter.answer(await requests.receive(), error="The market is closed.")

            tasks.start_soon(refuse)
            with pytest.raises(DeskbusError) as refused:
                await ticker.request("orders.prefill", {})
    assert refused.value.kind.name == "responder_failed"
    assert refused.value.message == "The market is closed."


async def test_asking_when_nobody_listens_fails_at_once(open_shell: TestShell) -> None:
    async with open_shell.app("desk.ticker") as ticker:
        with anyio.fail_after(LIMIT_S), pytest.raises(DeskbusError) as refused:
            await ticker.request("orders.unheard", {}, timeout=600_000)
    assert refused.value.kind.name == "no_subscriber"
    assert refused.value.kind.retryable


async def test_a_responder_that_leaves_ends_the_wait(open_shell: TestShell) -> None:
    async with open_shell.app("desk.ticker") as ticker:
        failures: list[str] = []

        async def ask() -> None:
            try:
                await ticker.request("orders.prefill", {}, timeout=600_000)
            except DeskbusError as error:
                failures.append(error.kind.name)

        async with anyio.create_task_group() as tasks, open_shell.app("desk.blotter") as blotter:
            async with blotter.subscribe("orders.prefill") as requests:
                tasks.start_soon(ask)
                await requests.receive()
                await blotter.aclose()
    assert failures == ["no_subscriber"]


async def test_an_unanswered_request_times_out(open_shell: TestShell) -> None:
    async with open_shell.app("desk.ticker") as ticker, open_shell.app("desk.blotter") as blotter:
        async with blotter.subscribe("orders.prefill"):
            with pytest.raises(DeskbusError) as refused:
                await ticker.request("orders.prefill", {}, timeout=20)
    assert refused.value.kind.name == "timeout"


@pytest.mark.requirement("7.2")
async def test_a_cancelled_request_is_answered_once_and_leaves_nobody_waiting(
    open_shell: TestShell,
) -> None:
    answers: list[dict[str, Any]] = []
    cancelled = anyio.Event()

    def note(direction: str, frame: bytes) -> None:
        read = msgspec.json.decode(frame)
        if direction == "received" and "method" not in read:
            answers.append(read)
            if "error" in read:
                cancelled.set()

    ticket = await open_shell.ticket("desk.ticker")
    async with (
        connect_with_ticket(open_shell.hello.pipe, ticket, "desk.ticker", on_frame=note) as ticker,
        open_shell.app("desk.blotter") as blotter,
        blotter.subscribe("orders.prefill") as requests,
        anyio.create_task_group() as tasks,
    ):
        asking = anyio.CancelScope()

        async def ask() -> None:
            with asking:
                await ticker.request("orders.prefill", {}, timeout=600_000)

        answers.clear()
        tasks.start_soon(ask)
        with anyio.fail_after(LIMIT_S):
            message = await requests.receive()
            asking.cancel()
            await cancelled.wait()
            with pytest.raises(DeskbusError) as late:
                await blotter.answer(message, {"filled": True})
            await ticker.call("session.ping")
    assert late.value.kind.name == "not_found"
    assert [answer.get("error", {}).get("code") for answer in answers] == [-32800, None]
    assert len({answer["id"] for answer in answers}) == 2


@pytest.mark.requirement("3.2")
async def test_only_who_was_asked_may_answer(open_shell: TestShell) -> None:
    async with (
        open_shell.app("desk.ticker") as ticker,
        open_shell.app("desk.blotter") as blotter,
        open_shell.app("desk.feed") as eavesdropper,
        blotter.subscribe("orders.prefill") as requests,
        anyio.create_task_group() as tasks,
    ):
        results: list[object] = []

        async def ask() -> None:
            results.append((await ticker.request("orders.prefill", {})).app)

        tasks.start_soon(ask)
        message = await requests.receive()
        with pytest.raises(DeskbusError) as refused:
            await eavesdropper.answer(message, {"forged": True})
        await blotter.answer(message, {"filled": True})
    assert refused.value.kind.name == "permission_denied"
    assert results == ["desk.blotter"]


async def test_a_directed_message_reaches_its_app_alone(open_shell: TestShell) -> None:
    async with (
        open_shell.app("desk.ticker") as ticker,
        open_shell.app("desk.blotter") as blotter,
        open_shell.app("desk.feed") as feed,
        blotter.subscribe("hints.#") as hints,
        feed.subscribe("hints.#") as others,
    ):
        assert (await ticker.send("desk.blotter", "hints.symbol", "EURUSD")).receivers == 1
        assert msgspec.json.decode((await hints.receive()).payload) == "EURUSD"
        await ticker.publish("hints.public", 1, confirm=True)
        assert (await others.receive()).topic == "hints.public"
        with pytest.raises(DeskbusError) as refused:
            await ticker.send("desk.nobody", "hints.symbol", "EURUSD")
    assert refused.value.kind.name == "no_subscriber"
