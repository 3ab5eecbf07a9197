"""Compressed frames on links of a real backend: agreed on, bounded, and nobody else's cost."""

import gzip
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from anyio.abc import ByteStream

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.errors import PARSE_ERROR, TOO_LARGE
from deskbus_protocol.wire import rpc
from deskbus_protocol.wire.encoding import ENCODINGS, Encoding, encode, is_available
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES
from tests.conftest import absent
from tests.integration.shell import LIMIT_S, TestShell, start_shell

CONFIG = """
[links]
compression = ["br", "gzip"]
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [
    { permission = "messaging.read", scope = "#" },
    { permission = "messaging.write", scope = "#" },
]
[[apps]]
id = "desk.blotter"
name = "Blotter"
grants = [
    { permission = "messaging.read", scope = "#" },
    { permission = "messaging.write", scope = "#" },
]
"""

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tests/integration/programs/compressed.js"
LIBRARY = ROOT / "electron-bridge/dist/node"

ROWS = [{"id": n, "symbol": "EURUSD", "bid": 1.0842, "venue": "XLON"} for n in range(400)]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def shell(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestShell]:
    if not is_available("br"):
        absent("Brotli is missing: pip install brotli")
    async with start_shell(tmp_path_factory.mktemp("compression"), config=CONFIG) as running:
        yield running


async def stats(shell: TestShell) -> Any:
    return (await shell.client.call("bus.stats", result=dict))["compression"]


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_long_messages_are_compressed_both_ways_and_short_ones_go_between_them_in_order(
    shell: TestShell, encoding: Encoding
) -> None:
    before = await stats(shell)
    async with (
        shell.app("desk.feed", "a", encodings=[encoding]) as feed,
        shell.app("desk.blotter", "b", encodings=[encoding]) as blotter,
        blotter.subscribe("rows.#") as messages,
    ):
        for number in range(20):
            await feed.publish("rows.of", [number, *ROWS] if number % 2 else number)
        with anyio.fail_after(LIMIT_S):
            got = [(await messages.receive()).payload for _ in range(20)]
    assert [msgspec.json.decode(each) for each in got] == [
        [number, *ROWS] if number % 2 else number for number in range(20)
    ]
    after = await stats(shell)
    for way in ("sent", "received"):
        assert after[way]["frames"] - before[way]["frames"] == 10
        assert after[way]["savedBytes"] - before[way]["savedBytes"] > 10 * 10_000
        assert 0 < after[way]["ratio"] < 0.5
        assert after[way]["time"] > before[way]["time"]


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_client_in_node_compresses_too(shell: TestShell, encoding: Encoding) -> None:
    before = await stats(shell)
    ticket = await shell.ticket("desk.blotter", "node")
    words = ["node", str(PROGRAM), shell.hello.pipe, ticket, str(LIBRARY), encoding]
    async with (
        shell.app("desk.feed", "a") as feed,
        feed.subscribe("here") as here,
        feed.subscribe("echo") as echo,
        await anyio.open_process(words, stderr=None) as node,
    ):
        with anyio.fail_after(LIMIT_S):
            await here.receive()
            await feed.publish("sound", ROWS)
            assert msgspec.json.decode((await echo.receive()).payload) == ROWS
        assert node.stdin is not None
        await node.stdin.aclose()
    after = await stats(shell)
    for way in ("sent", "received"):
        assert after[way]["frames"] - before[way]["frames"] == 1


async def test_the_first_that_the_backend_prefers_is_agreed_on_and_only_where_it_is_asked_for(
    shell: TestShell,
) -> None:
    for offered, agreed in (
        (["gzip", "br"], "br"),
        (["zstd", "gzip"], "gzip"),
        (["zstd"], None),
        ([], None),
    ):
        async with connected(shell, offered) as (_, opened):
            assert opened.get("encoding") == agreed


async def test_what_was_compressed_already_is_sent_as_it_is(shell: TestShell) -> None:
    picture = b64encode(os.urandom(30_000)).decode()
    before = await stats(shell)
    async with (
        shell.app("desk.feed", "a", encodings=["gzip"]) as feed,
        shell.app("desk.blotter", "b", encodings=["gzip"]) as blotter,
        blotter.subscribe("pictures") as messages,
    ):
        for _ in range(30):
            await feed.publish("pictures", picture)
        with anyio.fail_after(LIMIT_S):
            for _ in range(30):
                assert msgspec.json.decode((await messages.receive()).payload) == picture
    after = await stats(shell)
    assert after["received"]["frames"] == before["received"]["frames"]
    assert after["sent"]["frames"] == before["sent"]["frames"]
    assert after["sent"]["kept"] - before["sent"]["kept"] == 30


@asynccontextmanager
async def connected(
    shell: TestShell, offered: list[str], client: str = "raw"
) -> AsyncIterator[tuple[ByteStream, dict[str, Any]]]:
    """A link that the test writes to itself, and what its session was opened with."""
    opening = {
        "ticket": await shell.ticket("desk.feed", client),
        "app": "desk.feed",
        "protocolVersion": PROTOCOL_VERSION,
        "encodings": offered,
    }
    async with await anyio.connect_unix(shell.hello.pipe) as stream:
        await stream.send(rpc.request("session.open", opening, 1) + b"\n")
        with anyio.fail_after(LIMIT_S):
            answer = await line(stream)
        yield stream, answer["result"]


async def line(stream: ByteStream) -> Any:
    got = b""
    while not got.endswith(b"\n"):
        got += await stream.receive(1)
    return msgspec.json.decode(got)


def block(body: bytes, encoding: str = "gzip") -> bytes:
    head = f"Content-Length: {len(body)}\r\nContent-Encoding: {encoding}\r\n\r\n"
    return head.encode() + body


@pytest.mark.requirement("C")
async def test_a_bomb_is_refused_and_its_app_and_others_go_on(shell: TestShell) -> None:
    bomb = block(gzip.compress(b'{"jsonrpc":"2.0","id":7,"method":"' + b"x" * 50_000_000))
    ping = rpc.request("session.ping", {}, 8) + b"\n"
    async with (
        connected(shell, ["gzip"]) as (stream, _),
        shell.app("desk.blotter", "b") as other,
    ):
        await stream.send(bomb * 20 + ping)
        with anyio.fail_after(LIMIT_S):
            await other.call("session.ping")
            refusals = [await line(stream) for _ in range(20)]
            assert (await line(stream))["result"] == {}
    assert {each["error"]["code"] for each in refusals} == {TOO_LARGE.code}
    assert {each["id"] for each in refusals} == {7}


async def test_a_frame_that_is_no_such_stream_is_refused_and_the_next_is_served(
    shell: TestShell,
) -> None:
    good = gzip.compress(rpc.request("session.ping", {}, 9))
    bad = [b"", b"nonsense", good[:-4], good + b"more", gzip.compress(b'{"a":"\n"}')]
    async with connected(shell, ["gzip"]) as (stream, _):
        await stream.send(b"".join(block(body) for body in [*bad, good]))
        with anyio.fail_after(LIMIT_S):
            refusals = [await line(stream) for _ in bad]
            assert (await line(stream))["id"] == 9
    assert {each["error"]["code"] for each in refusals} == {PARSE_ERROR.code}


@pytest.mark.parametrize(
    "hostile",
    [
        block(b"x", "deflate"),
        block(b"x", "gzip, gzip"),
        b"Content-Length: 1\r\n\r\nx",
        b"Content-Encoding: gzip\r\n\r\nx",
        b"C" + b"x" * 5000,
        f"Content-Length: {MAX_FRAME_BYTES + 1}\r\nContent-Encoding: gzip\r\n\r\n".encode(),
    ],
    ids=["another coding", "twice", "no coding", "no length", "no header", "too long"],
)
async def test_a_stream_that_cannot_be_cut_any_more_ends(shell: TestShell, hostile: bytes) -> None:
    async with connected(shell, ["gzip"]) as (stream, _):
        await stream.send(hostile)
        with anyio.fail_after(LIMIT_S):
            assert (await line(stream))["error"]["code"] == PARSE_ERROR.code
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()


async def test_a_frame_in_pieces_is_put_together_among_lines(shell: TestShell) -> None:
    long = rpc.request("bus.subscribe", {"pattern": "a." * 60 + "b"}, 2)
    packed = encode("gzip", long.replace(b",", b", " + b" " * 2000))
    assert packed is not None
    ping = rpc.request("session.ping", {}, 3) + b"\n"
    async with connected(shell, ["gzip"]) as (stream, _):
        for piece in (ping, packed, packed, ping, packed):
            for at in range(0, len(piece), 7):
                await stream.send(piece[at : at + 7])
        with anyio.fail_after(LIMIT_S):
            assert [(await line(stream))["id"] for _ in range(5)] == [3, 2, 2, 3, 2]


async def test_nothing_is_agreed_on_where_the_configuration_does_not_say_so(tmp_path: Path) -> None:
    config = CONFIG.replace('compression = ["br", "gzip"]', "")
    async with start_shell(tmp_path / "data", config=config) as plain:
        async with connected(plain, ["br", "gzip"]) as (_, opened):
            assert "encoding" not in opened
        assert "compression" not in await plain.client.call("bus.stats", result=dict)
