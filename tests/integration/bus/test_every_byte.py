"""All bytes that JSON allows in a payload come back as they were, wherever messages are kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from anyio import from_thread, to_thread
from anyio.abc import ByteStream
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.wire.framing import FramingDecoder, encode_content_length, encode_line
from tests.integration.shell import LIMIT_S, TestShell, start_shell

CONFIG = """
[persistence]
topics = ["orders.#"]
"""

# Everything that may stand in a string: whatever ends a line for someone, and escapes.
CHARACTERS = st.one_of(
    st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters='"\\'),
    st.sampled_from(["\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\U0001f600", "[", "}", ","]),
    st.sampled_from(["\\n", "\\r", "\\u2028", "\\u0000", '\\"', "\\\\", "\\/", "\\ud83d\\ude00"]),
)
STRINGS = st.lists(CHARACTERS, max_size=8).map(lambda parts: f'"{"".join(parts)}"'.encode())
SCALARS = st.one_of(
    STRINGS,
    st.sampled_from([b"null", b"true", b"false", b"0", b"-0.0", b"1E+2", b"12345678901234567890"]),
)


def values(spaces: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """JSON texts with such white space between their tokens."""

    def list_of(members: list[bytes]) -> bytes:
        return b"[%b]" % b",".join(members)

    def object_of(members: list[tuple[bytes, bytes]]) -> bytes:
        named = dict(members)
        return b"{%b}" % b",".join(b"%b:%b" % member for member in named.items())

    def wrapped(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
        return st.tuples(spaces, inner, spaces).map(b"".join)

    return st.recursive(
        wrapped(SCALARS),
        lambda inner: wrapped(
            st.lists(inner, max_size=4).map(list_of)
            | st.lists(st.tuples(wrapped(STRINGS), inner), max_size=4).map(object_of)
        ),
        max_leaves=6,
    )


class RawApp:
    """An app that writes its frames itself, in either framing."""

    def __init__(self, stream: ByteStream, framing: str) -> None:
        self._stream = stream
        self._encode = encode_line if framing == "lines" else encode_content_length
        self._decoder = FramingDecoder()
        self._ids = count(1)
        self._frames: list[Any] = []
        self.messages: list[Any] = []

    async def call(self, method: str, params: object) -> Any:
        return await self.call_raw(method, msgspec.json.encode(params))

    async def call_raw(self, method: str, params: bytes) -> Any:
        request_id = next(self._ids)
        frame = b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}'
        await self._stream.send(self._encode(frame % (request_id, method.encode(), params)))
        with anyio.fail_after(LIMIT_S):
            while True:
                answer = await self._receive()
                if answer.get("id") == request_id:
                    assert "error" not in answer, (params, answer["error"])
                    return answer["result"]

    async def hear(self, number: int) -> list[bytes]:
        """The payloads of the next so many messages."""
        with anyio.fail_after(LIMIT_S):
            while len(self.messages) < number:
                await self._receive()
        heard, self.messages = self.messages[:number], self.messages[number:]
        return [payload_of(message) for message in heard]

    async def _receive(self) -> Any:
        while not self._frames:
            block = self._decoder.feed(await self._stream.receive())
            self._frames = [
                msgspec.json.decode(line, type=dict[str, Raw]) for line in block.split(b"\n")[:-1]
            ]
        frame = self._frames.pop(0)
        if frame.get("method") == Raw(b'"bus.message"'):
            message = msgspec.json.decode(frame["params"], type=dict[str, Raw])
            # On a slow machine one comes again before it was acknowledged.
            if "redelivery" not in message:
                self.messages.append(message)
            return {}
        return {
            "id": msgspec.json.decode(frame["id"]) if "id" in frame else None,
            **{name: frame[name] for name in ("result", "error") if name in frame},
        }


def payload_of(message: dict[str, Raw]) -> bytes:
    return bytes(message["payload"])


def payloads_in(answer: Raw) -> list[bytes]:
    found = msgspec.json.decode(answer, type=dict[str, Raw])["messages"]
    return [payload_of(one) for one in msgspec.json.decode(found, type=list[dict[str, Raw]])]


@asynccontextmanager
async def raw_app(shell: TestShell, app: str, framing: str) -> AsyncIterator[RawApp]:
    ticket = await shell.ticket(app)
    async with await anyio.connect_unix(shell.hello.pipe) as stream:
        opened = RawApp(stream, framing)
        params = {"ticket": ticket, "app": app, "protocolVersion": PROTOCOL_VERSION}
        await opened.call("session.open", params)
        yield opened


async def looks_the_same_everywhere(app: RawApp, topic: str, payloads: list[bytes]) -> None:
    expected = [on_one_line(payload) for payload in payloads]
    await app.call("bus.subscribe", {"pattern": topic})
    for payload in payloads:
        params = b'{"topic":"%b","payload":%b,"durable":true}' % (topic.encode(), payload)
        await app.call_raw("bus.publish", params)
    number = len(payloads)
    assert await app.hear(number) == expected
    assert payloads_in(await app.call("bus.history", {"topic": topic})) == expected
    assert payloads_in(await app.call("bus.query", {"pattern": topic})) == expected
    await app.call("bus.replay", {"pattern": topic})
    assert await app.hear(number) == expected
    await app.call("bus.unsubscribe", {"pattern": topic})
    for mode in ("live", "acknowledged"):
        await app.call("bus.continue", {"pattern": topic, "mode": mode, "since": 0, "seen": {}})
        assert await app.hear(number) == expected
        seqs = list(range(1, number + 1))
        await app.call("bus.ack", {"topic": topic, "seqs": seqs})
        await app.call("bus.unsubscribe", {"pattern": topic})


def on_one_line(payload: bytes) -> bytes:
    """How a payload comes back: no string has a newline in it, so each is between tokens."""
    return payload.strip(b" \t\r\n").replace(b"\n", b" ")


@pytest.mark.parametrize("framing", ["lines", "content-length"])
@pytest.mark.requirement("2.2")
async def test_every_payload_that_json_allows_comes_back_as_it_was(
    tmp_path: Path, framing: str
) -> None:
    spaces = b" \t\r" if framing == "lines" else b" \t\r\n"
    white = st.lists(st.sampled_from([bytes([byte]) for byte in spaces]), max_size=3).map(b"".join)
    topics = (f"orders.n{number}" for number in count())
    sent: list[bytes] = []
    async with (
        start_shell(tmp_path / "data", config=CONFIG, consent="allow") as shell,
        raw_app(shell, "com.example.app", framing) as app,
        raw_app(shell, "com.example.deaf", framing) as deaf,
    ):
        await deaf.call("bus.subscribe", {"pattern": "orders.#", "mode": "acknowledged"})

        @settings(
            max_examples=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            database=None,
        )
        @example([b'{\r"a"\r:\r[1,\r2]\r}', '"\u2028\u2029\x85"'.encode()])
        @given(st.lists(values(white), min_size=1, max_size=6))
        def check(payloads: list[bytes]) -> None:
            sent.extend(on_one_line(payload) for payload in payloads)
            from_thread.run(looks_the_same_everywhere, app, next(topics), payloads)

        await to_thread.run_sync(check)
        # Nobody acknowledged them there.
        with anyio.fail_after(LIMIT_S):
            letters: list[Any] = []
            while len(letters) < len(sent):
                answer = await shell.client.call("bus.deadLetters", {"limit": 1000})
                found = msgspec.json.decode(answer, type=dict[str, Raw])["letters"]
                letters = msgspec.json.decode(found, type=list[dict[str, Raw]])
        dead = [msgspec.json.decode(letter["message"], type=dict[str, Raw]) for letter in letters]
        assert sorted(payload_of(message) for message in dead) == sorted(sent)
