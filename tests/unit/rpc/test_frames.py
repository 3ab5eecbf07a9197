"""One frame: what is refused, and that an honest frame never is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.rpc import frames
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.wire.jsontext import MAX_DEPTH

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(text: bytes) -> frames.Frame:
    list(frames.checking(text))
    return frames.read(text)


@given(st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=5), st.booleans(), st.booleans())
def test_an_honest_frame_is_read_however_it_is_written(
    params: dict[str, object], ascii_only: bool, spaced: bool
) -> None:
    body = {"jsonrpc": "2.0", "id": 7, "method": "a.b", "params": params}
    separators = (", ", ": ") if spaced else (",", ":")
    text = json.dumps(body, ensure_ascii=ascii_only, separators=separators)
    frame = read(text.encode("utf-8", "surrogatepass"))
    assert frame.method == "a.b"
    assert json.loads(bytes(frame.params)) == params  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"jsonrpc":"2.0","method":"a.b","params":{"x":NaN}}',
        b'{"jsonrpc":"2.0","method":"a.b","params":{"x":Infinity}}',
        b'{"jsonrpc":"2.0","method":"a.b","params":{"x":-Infinity}}',
        b'{"jsonrpc":"2.0","method":"a.b","method":"a.c"}',
        b'{"jsonrpc":"2.0", "id":1, "id":1, "method":"a.b"}',
        b'{"jsonrpc":"2.0","method":"a.b","params":{"t":1,"t":2}}',
        b'{"jsonrpc":"2.0","method":"a.b","params":{"t":1,"\\u0074":2}}',
        b'{"jsonrpc":"2.0","method":"a.b","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"jsonrpc":"2.0","method":"a.b","params":{"x":"\xff"}}',
        b'{"jsonrpc":"2.0","method":"a.b","params":{"x":"\xed\xa0\x80"}}',
    ],
    ids=lambda text: text[:60].decode("latin-1"),
)
def test_what_is_not_acceptable_json_is_a_parse_error(text: bytes) -> None:
    with pytest.raises(DeskbusError) as refused:
        read(text)
    assert refused.value.kind.name == "parse_error"


@pytest.mark.parametrize(
    "text",
    [
        b"1",
        b'"text"',
        b"{}",
        b'{"jsonrpc":"1.0","method":"a.b"}',
        b'{"jsonrpc":"2.0","method":5}',
        b'{"jsonrpc":"2.0","method":"a.b","id":{}}',
        b'{"jsonrpc":"2.0","method":"a.b","id":true}',
        b'{"jsonrpc":"2.0","method":"a.b","params":5}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":"x"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"a.b","result":1}',
    ],
    ids=lambda text: text[:60].decode("latin-1"),
)
def test_json_that_is_not_json_rpc_is_an_invalid_request(text: bytes) -> None:
    with pytest.raises(DeskbusError) as refused:
        read(text)
    assert refused.value.kind.name == "invalid_request"


@given(st.integers(1, 200))
def test_nesting_is_counted_outside_strings_only(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    quoted = b'"' + b"[{" * 300 + b'\\"[\\\\"'
    text = b'{"jsonrpc":"2.0","method":"a.b","params":{"q":%b,"n":%b}}' % (quoted, nested)
    if depth + 2 <= MAX_DEPTH:
        read(text)
    else:
        with pytest.raises(DeskbusError):
            read(text)


def test_a_batch_is_split_and_bounded() -> None:
    member = b'{"jsonrpc":"2.0","method":"a.b"}'
    assert frames.split_batch(b"[" + b",".join([member] * 256) + b"]") == [member] * 256
    for bad in (b"[]", b"[" + b",".join([member] * 257) + b"]"):
        with pytest.raises(DeskbusError) as refused:
            frames.split_batch(bad)
        assert refused.value.kind.name == "invalid_request"


@st.composite
def members(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Keys and values of an object as text, some of them repeated or written with escapes."""
    keys = draw(st.lists(st.sampled_from(["a", "b", "\\u0061", "c d"]), max_size=4))
    values = [json.dumps(draw(JSON_VALUES), separators=draw(SPACES)) for _ in keys]
    return list(zip(keys, values, strict=True))


SPACES = st.sampled_from([(",", ":"), (" , ", " :  ")])


@given(members(), SPACES, st.booleans())
def test_a_repeated_key_is_found_however_the_frame_is_written_and_however_long_it_is(
    parts: list[tuple[str, str]], spaces: tuple[str, str], is_large: bool
) -> None:
    comma, colon = spaces
    params = "{" + comma.join(f'"{key}"{colon}{value}' for key, value in parts) + "}"
    text = f'{{"jsonrpc":"2.0"{comma}"method"{colon}"a.b"{comma}"params"{colon}{params}}}'.encode()
    names = [json.loads(f'"{key}"') for key, _ in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "LARGE_BYTES", 0 if is_large else frames.LARGE_BYTES)
        if len(set(names)) == len(names):
            found = read(text)
            assert (found.method, bytes(found.params)) == ("a.b", params.encode())  # type: ignore[arg-type]
        else:
            with pytest.raises(DeskbusError, match="repeats a key"):
                read(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"a.b","params":{"x":[1,2]}}', None),
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":[1,2]}}', None),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x","data":{}}}', None),
        (b'{"jsonrpc":"1.0","id":7,"method":"a.b","params":{}}', "invalid_request"),
        (b'{"jsonrpc":"2.0","id":true,"method":"a.b"}', "invalid_request"),
        (b'{"jsonrpc":"2.0","method":"a.b","params":5}', "invalid_request"),
        (b'{"jsonrpc":"2.0","method":"a.b","params":{}', "parse_error"),
        (b'{"jsonrpc":"2.0","method":"a.b","params":{"x":"\xff"}}', "parse_error"),
    ],
)
def test_a_long_frame_is_judged_as_a_short_one(
    monkeypatch: pytest.MonkeyPatch, text: bytes, kind: str | None
) -> None:
    def outcome() -> object:
        try:
            found = read(text)
        except DeskbusError as error:
            return error.kind.name
        return found

    short = outcome()
    monkeypatch.setattr(frames, "LARGE_BYTES", 0)
    assert outcome() == short
    assert kind is None or short == kind
