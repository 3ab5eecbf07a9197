"""An id is told where it is sure, and never where the sender's data could have put it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.rpc.malformed_frame import (
    MAX_TOKENS,
    UNKNOWN,
    Kind,
    RecoveredEnvelope,
    recover_envelope,
)

REQUEST = RecoveredEnvelope(Kind.REQUEST, b"7", "m")
HEAD = b'{"jsonrpc":"2.0","id":7,"method":"m","params":'


@pytest.mark.parametrize(
    "frame",
    [
        HEAD,
        HEAD + b'{"id":8,"id":9}}',
        HEAD + b'{"a":[[{"id":8}]]},"x":1}',
        HEAD + b'"}}\\",\\"id\\":8',
        b' {\r"method" : "m" , "params":[{}],"id":7 }',
        HEAD + b"[" * MAX_TOKENS * 2,
        HEAD + b'"\xff"}',
    ],
)
def test_the_id_of_a_request_is_told_though_the_rest_is_not_readable(frame: bytes) -> None:
    assert recover_envelope(frame) == REQUEST


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"7",
        b"{nonsense",
        b'{"jsonrpc":"2.0","method":"m","params":{"id":7',
        b'{"jsonrpc":"2.0","id":7,"id":8,"method":"m"}',
        b'{"id":7,"i\\u0064":8,"method":"m"}',
        b'{"id":7,"method":"m","method":"n"}',
        b'{"id":7}',
        b'{"id":7,"method":"m","result":1}',
        b'{"id":null,"method":"m"}',
        b'{"id":{"a":1},"method":"m"}',
        b'{"id":[7],"method":"m"}',
        b'{"id":true,"method":"m"}',
        b'{"id":"\\ud83d","method":"m"}',
        b'{"id":"\xff","method":"m"}',
        b'[{"id":7,"method":"m"}',
    ],
)
def test_where_the_id_is_not_sure_nothing_is_told(frame: bytes) -> None:
    assert recover_envelope(frame) == UNKNOWN


def test_an_answer_is_not_taken_for_a_request() -> None:
    assert recover_envelope(b'{"jsonrpc":"2.0","id":7,"result":[[[').kind is Kind.ANSWER
    assert recover_envelope(b'{"jsonrpc":"2.0","id":7,"error":{').kind is Kind.ANSWER


def test_a_frame_that_is_cut_short_may_have_had_an_id() -> None:
    whole = b'{"jsonrpc":"2.0","method":"m","params":{"a":1}}'
    assert recover_envelope(whole) == RecoveredEnvelope(Kind.NOTIFICATION, b"", "m")
    assert {recover_envelope(whole[:end]) for end in range(len(whole))} == {UNKNOWN}


@given(st.binary(max_size=60))
def test_nothing_within_the_parameters_changes_what_is_told(params: bytes) -> None:
    assert recover_envelope(HEAD + b"[" + params.replace(b"]", b"").replace(b"}", b"")) == REQUEST
