"""Passwords from a descriptor: whole, or none."""

import os
import socket

import pytest

from deskbus.commands.terminal.passwords import NoPasswordError, read_password
from deskbus.vault.keys.master_password import MAX_BYTES


def given(content: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


@pytest.mark.requirement("3.3")
@pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="there are no such sockets")
def test_a_password_that_comes_in_pieces_is_read_to_its_end() -> None:
    # One packet is one read, as with a pipe whose writer is slow.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for piece in (b"hun", b"ter", b"2\n"):
            theirs.send(piece)
        theirs.shutdown(socket.SHUT_WR)
        assert read_password("Password", ours.fileno()) == b"hunter2"


@pytest.mark.parametrize("content", [b"x" * (MAX_BYTES + 1), b"\xff\xfe", b"", b"\n"])
def test_what_is_no_password_is_refused_and_not_cut(content: bytes) -> None:
    with pytest.raises(NoPasswordError):
        read_password("Password", given(content))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_longest_password_goes_with_any_end_of_line(end: bytes) -> None:
    assert read_password("Password", given(b"x" * MAX_BYTES + end)) == b"x" * MAX_BYTES
