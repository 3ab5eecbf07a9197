"""Readers of what others wrote, each with its promise under any bytes.

A check raises `AssertionError`, or whatever escaped that should not. `seeds` of each are honest.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from deskbus.audit.format import checkpoint, record, signed_note
from deskbus.audit.format.lines import LineError, read_checkpoint, read_head
from deskbus.audit.verify.chain_verifier import ChainVerifier, Tampered
from deskbus.bus.trie import PatternTrie
from deskbus.federation.federated_message import unpack
from deskbus.persistence.log.batch import BatchError, Messages, encode
from deskbus.persistence.log.segment import Damage, scan
from deskbus.security.model.scope_grammar import canonical_origin
from deskbus.security.policy.policy_file import PolicyTables
from deskbus.storage.handwritten_file import HandwrittenFile, HandwrittenFileError
from deskbus.storage.newer_format import NewerFormatError
from deskbus.vault import cipher
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import check_pattern, check_topic, covers, matches, overlaps
from tests.performance.fuzzing.decoders import framing_holds, reading_holds

KEY, KEY_ID = b"k" * 32, b"i" * 16
CONTEXT = cipher.Context("fuzz", "app", "name", 1)
SEALED = (
    cipher.seal(KEY_ID, KEY, CONTEXT, b"a secret"),
    cipher.seal(KEY_ID, KEY, CONTEXT, bytes(70_000)),
)
FRAMES = (
    b'{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"a.b","payload":1}}\n',
    b'{"jsonrpc":"2.0","id":1,"method":"bus.request","params":{"topic":"a","payload":{}}}\n',
    b'{"jsonrpc":"2.0","method":"bus.respond","params":{"replyTo":"a","payload":null}}\n',
    b'[{"jsonrpc":"2.0","id":"x","method":"health.get"},{"jsonrpc":"2.0","id":2,"result":[]}]\n',
    b'Content-Length: 38\r\n\r\n{"jsonrpc":"2.0","method":"health.get"}',
)


POLICY = b"""
[[rules]]
app = "desk.*"
permission = "messaging.read"
scope = "prices.#"
effect = "deny"
"""
POLICY_JSON = b'{"rules":[{"permission":"history","effect":"ask"}]}'


class Parser(NamedTuple):
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _framing(data: bytes) -> None:
    """The first three bytes say where the rest is cut."""
    cuts, block = sorted(data[:3]), data[3:]
    edges = [0, *(min(cut, len(block)) for cut in cuts), len(block)]
    framing_holds(block, [block[a:b] for a, b in pairwise(edges)])


def _patterns(data: bytes) -> None:
    """Two patterns and a topic: the trie, `matches`, `covers` and `overlaps` agree."""
    one, other, topic = [*data.decode("utf-8", "replace").split("\n"), "", ""][:3]
    with suppress(DeskbusError):
        check_topic(topic)
        for pattern in (one, other):
            check_pattern(pattern)
        trie: PatternTrie[str] = PatternTrie()
        for pattern in {one, other}:
            trie.add(pattern, pattern)
        fitting = {pattern for pattern in (one, other) if matches(pattern, topic)}
        assert trie.match(topic) == fitting
        assert len(fitting) < 2 or overlaps(one, other), "a topic is in both"
        if covers(one, other):
            assert one in fitting or other not in fitting, "more is in the narrower one"
        for pattern in {one, other}:
            trie.remove(pattern, pattern)
        assert trie.match(topic) == set(), "something stayed"


def _segments(data: bytes) -> None:
    """Batches and damaged stretches follow one another, without a gap, to the very end."""
    at = 0
    for found in scan(data):
        assert found.offset == at
        if isinstance(found, Damage):
            at += found.length
        else:
            at += found.head.size_bytes
            with suppress(BatchError):
                found.decode_table()
                found.lines()
    assert at == len(data)


def _batch() -> bytes:
    messages = Messages(7)
    for seq in range(3):
        messages.add("prices.dax", seq, 1_700_000_000_000 + seq, b'{"a":1}\n')
    return bytes(encode(messages).data + encode(messages, compress=True).data)


def _audit(data: bytes) -> None:
    lines = data.split(b"\n")
    for line in lines:
        for read in (read_head, read_checkpoint):
            with suppress(LineError, NewerFormatError):
                read(line)
        with suppress(ValueError):
            record.times(line)
    with suppress(signed_note.NoteError, NewerFormatError):
        checkpoint.read(data.decode("utf-8", "replace"))
    verifier = ChainVerifier("fuzz/audit", bytes(32))
    with suppress(Tampered, NewerFormatError):
        verifier.begin_file(lines[0], 1)
        verifier.take(lines[1:])
        raise AssertionError("a log was accepted that nobody signed")


def _vault(data: bytes) -> None:
    with suppress(cipher.SealError, NewerFormatError):
        cipher.key_id_of(data)
    with suppress(cipher.SealError, NewerFormatError):
        cipher.open_sealed(KEY, CONTEXT, data)
        assert data in SEALED, "a value was opened that nobody sealed"


def _federation(data: bytes) -> None:
    with suppress(ValueError):
        unpack(data)


def _origins(data: bytes) -> None:
    """The canonical form of an origin is one, and its own."""
    found = canonical_origin(data.decode("utf-8", "replace"))
    assert found is None or canonical_origin(found) == found


def _settings(data: bytes) -> None:
    file = HandwrittenFile(Path("policy.toml"), PolicyTables)
    for read in (file.read_toml, file.read_json):
        with suppress(HandwrittenFileError):
            read(data)


def _seeds(lines: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(line.encode() for line in lines)


PARSERS = {
    "framing": Parser(_framing, tuple(b"\x05\x20\x40" + frame for frame in FRAMES)),
    "reading": Parser(reading_holds, FRAMES),
    "patterns": Parser(_patterns, _seeds(("a.*\na.#\na.b", "#.b.*\n*.b\nx.b.c", "#\n*\né"))),
    "segments": Parser(_segments, (_batch(),)),
    "audit": Parser(_audit, (b'{"head":"a\\n1\\nAA==\\n\\n\xe2\x80\x94 a b\\n","frontier":[]}',)),
    "vault": Parser(_vault, SEALED),
    "federation": Parser(_federation, (b'{"topic":"a","payload":1}',)),
    "origins": Parser(_origins, _seeds(("https://a.de:8443", "http://[::1]:80", "https://*.a.de"))),
    "settings": Parser(_settings, (POLICY, POLICY_JSON)),
}
