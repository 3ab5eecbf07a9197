"""Hostile frames: honest ones of every method, bent in every way that has a name."""

import json
import random
from collections.abc import Callable

from deskbus_protocol.methods import METHODS
from deskbus_protocol.wire.framing import encode_content_length

TOKENS = (
    *(b"NaN", b"Infinity", b"-0", b"1e999", b"-1", b"18446744073709551616", b"9" * 400, b"0x1"),
    *(b"null", b"true", b"{}", b"[]", b'""', b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\"),
    *(b'"\\ud800"', b'"\\u0000"', b"\x00", b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f"),
    *(b"\n", b"\r\n", b"\r\n\r\n", b" " * 50, b"\t", b"\xef\xbb\xbf", b"[" * 200, b'{"a":' * 200),
    *(b'"id":1,', b'"jsonrpc":"2.0",', b'"method":"bus.publish",', b'"params":{},', b'"id":null,'),
    *(b"$/cancelRequest", b"session.shutdown", b"#.#.#.#", b"*.*", b"a..b", b"..", b"x" * 300),
)
HEADERS = (
    *(b"Content-Length: -1\r\n\r\n", b"Content-Length: 99999999999\r\n\r\n", b"X: " + b"y" * 5000),
    *(b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"Content-Length:\r\n\r\n", b"A\r\n\r\n"),
)
VALUES: tuple[object, ...] = (
    *(None, True, 0, -1, 1.5, 2**63, "", "a", "orders.new", "prices.#", "*", "x" * 257),
    *([], {}, {"a": {"b": [1, {"c": None}]}}, ["x"] * 50, "\u00e9\U0001f600", 1e300),
)
TRACED = ',"_meta":{"traceparent":"00-1-2-01"}'
MAX_MUTATIONS = 6

Mutation = Callable[[random.Random, bytearray], None]


def honest(chance: random.Random) -> bytes:
    """A frame that is JSON-RPC; its parameters fit their method only by luck."""
    row = chance.choice(list(METHODS.values()))
    names = [name for name in row.params.__struct_encode_fields__ if chance.random() < 0.8]
    frame: dict[str, object] = {"jsonrpc": "2.0", "method": row.name}
    if chance.random() < 0.7:
        frame["id"] = chance.choice([1, 2, 3, "a", None, 1.5])
    frame["params"] = {name: _value(chance) for name in names}
    if chance.random() < 0.05:
        frame = {"jsonrpc": "2.0", "id": 1, "result": _value(chance)}
    separators = (",", ":") if chance.random() < 0.7 else (", ", ": ")
    text = json.dumps(frame, separators=separators)
    if chance.random() < 0.1:
        text = f"[{','.join([text] * chance.randint(1, 5))}]"
    return text.encode()


def compact(chance: random.Random) -> bytes:
    """A frame as the direct lane takes it, or nearly so."""
    method, name, rest = chance.choice(
        [
            ("bus.publish", "topic", ""),
            ("bus.publish", "topic", ',"durable":true'),
            ("bus.request", "topic", ""),
            ("bus.publish", "topic", TRACED),
            ("bus.publish", "topic", ',"durable":true' + TRACED),
            ("bus.request", "topic", ',"timeout":7000'),
            ("bus.request", "topic", TRACED),
            ("bus.respond", "replyTo", ""),
            ("bus.respond", "replyTo", TRACED),
        ]
    )
    text = chance.choice(["fuzz.a", "fuzz.b.c", "é", "fuzz"])
    payload = json.dumps(_value(chance), separators=(",", ":"))
    request_id = chance.choice(["", '"id":7,', '"id":"a",', '"id":{},'])
    return (
        f'{{"jsonrpc":"2.0",{request_id}"method":"{method}",'
        f'"params":{{"{name}":"{text}","payload":{payload}{rest}}}}}'
    ).encode()


def bend(chance: random.Random, frame: bytes) -> bytes:
    """The frame after a few mutations; sometimes none."""
    bent = bytearray(frame)
    for _ in range(chance.randint(0, MAX_MUTATIONS)):
        chance.choice(MUTATIONS)(chance, bent)
    return bytes(bent)


def frame(chance: random.Random) -> bytes:
    return bend(chance, chance.choice((honest, compact))(chance))


def lines(chance: random.Random) -> bytes:
    """A stretch of newline-delimited frames; the last may lack its end."""
    if chance.random() < 0.3:
        same = compact(chance)
        block = b"".join(chance.choice((same, frame(chance))) + b"\n" for _ in range(3))
    else:
        block = b"".join(frame(chance) + b"\n" for _ in range(chance.randint(1, 5)))
    return block if chance.random() < 0.8 else block[: chance.randrange(len(block))]


def headed(chance: random.Random) -> bytes:
    """A stretch of frames with headers, some of which are bad."""
    block = b"".join(encode_content_length(frame(chance)) for _ in range(chance.randint(1, 5)))
    if chance.random() < 0.3:
        at = chance.randrange(len(block))
        block = block[:at] + chance.choice(HEADERS) + block[at:]
    return bend(chance, block) if chance.random() < 0.3 else block


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(1, 2000))


def stream(chance: random.Random) -> bytes:
    return chance.choices((lines, headed, noise), weights=(6, 3, 1))[0](chance)


def pieces(chance: random.Random, block: bytes) -> list[bytes]:
    """The block cut anywhere, as a socket may hand it over."""
    cuts = sorted(chance.randrange(len(block) + 1) for _ in range(chance.randint(0, 6)))
    return [block[start:end] for start, end in zip([0, *cuts], [*cuts, len(block)], strict=True)]


def _value(chance: random.Random) -> object:
    return chance.choice(VALUES)


def _flip(chance: random.Random, frame: bytearray) -> None:
    if frame:
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)


def _insert(chance: random.Random, frame: bytearray) -> None:
    at = chance.randrange(len(frame) + 1)
    frame[at:at] = chance.choice(TOKENS)


def _replace(chance: random.Random, frame: bytearray) -> None:
    at = chance.randrange(len(frame) + 1)
    frame[at : at + chance.randint(1, 10)] = chance.choice(TOKENS)


def _delete(chance: random.Random, frame: bytearray) -> None:
    at = chance.randrange(len(frame) + 1)
    del frame[at : at + chance.randint(1, 20)]


def _repeat(chance: random.Random, frame: bytearray) -> None:
    at = chance.randrange(len(frame) + 1)
    frame[at:at] = frame[at : at + chance.randint(1, 60)] * chance.randint(1, 4)


def _cut(chance: random.Random, frame: bytearray) -> None:
    del frame[chance.randrange(len(frame) + 1) :]


MUTATIONS: tuple[Mutation, ...] = (_flip, _flip, _insert, _insert, _replace, _delete, _repeat, _cut)
