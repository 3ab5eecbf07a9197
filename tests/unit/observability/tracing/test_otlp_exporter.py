"""The exporter against a receiver that is away, slow, or answers nonsense."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import anyio
import pytest

from deskbus.observability.tracing.otlp_exporter import BATCH, MAX_WAITING, OtlpExporter
from tests.integration.observability.otlp import Collector


async def no_headers() -> Mapping[str, str]:
    return {}


def encode(items: Sequence[int]) -> bytes:
    return b""


def exporter(url: str) -> OtlpExporter[int]:
    return OtlpExporter("traces", f"{url}/v1/traces", encode, no_headers)


@contextmanager
def answering(text: bytes) -> Iterator[str]:
    """A server that says this to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    visitor, _ = server.accept()
                except OSError:
                    return
                with visitor:
                    visitor.recv(65_536)
                    visitor.sendall(text)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


async def test_what_a_collector_may_take_later_is_kept_and_sent_again() -> None:
    collector = Collector()
    one = exporter(collector.url)
    one.put(1)
    assert not await one.send_batch()
    assert (one.waiting, one.dropped) == (1, 0)
    assert one.health().status == "degraded"
    with collector.running():
        collector.status = 429
        assert not await one.send_batch()
        collector.status = 200
        assert await one.send_batch()
    assert (one.sent, one.waiting, one.dropped) == (1, 0, 0)
    assert one.health().status == "ok"


async def test_what_a_collector_will_never_take_is_dropped() -> None:
    collector = Collector()
    collector.status = 400
    one = exporter(collector.url)
    one.put(1)
    with collector.running():
        assert not await one.send_batch()
    assert (one.waiting, one.dropped) == (0, 1)
    assert "400" in (one.health().detail or "")


@pytest.mark.parametrize("text", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"HTTP/1.1 999999 x\r\n\r\n"])
async def test_nonsense_is_no_answer(text: bytes) -> None:
    with answering(text) as url:
        one = exporter(url)
        one.put(1)
        assert not await one.send_batch()
    assert one.health().status == "degraded"


async def test_what_waits_is_bounded_and_the_breaker_opens() -> None:
    one = exporter("http://127.0.0.1:1")
    for number in range(MAX_WAITING + 7):
        one.put(number)
    assert (one.waiting, one.dropped) == (MAX_WAITING, 7)
    for _ in range(6):
        assert not await one.send_batch()
    assert one.breaker.state == "open"
    assert one.waiting == MAX_WAITING


async def test_many_items_go_in_batches() -> None:
    collector = Collector()
    with collector.running():
        one = exporter(collector.url)
        for number in range(BATCH + 1):
            one.put(number)
        with anyio.fail_after(10):
            await one.flush()
    assert collector.asked == 2
    assert one.sent == BATCH + 1
