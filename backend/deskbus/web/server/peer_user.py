"""The user at the other end of a loopback connection, where the system tells."""

import os
import socket
import sys
from collections.abc import Collection
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MAPPED = "0000000000000000FFFF0000" if sys.byteorder == "little" else "00000000000000000000FFFF"
_UID, _INODE = 6, 8
"""Columns, counted from the address of the socket's own end."""


class UnknownPeerError(Exception):
    """The peer's socket is not in the system's table, or belongs to no process any more."""


def is_told() -> bool:
    """Whether this system says whose a loopback connection is."""
    return sys.platform == "linux"


def uid_of_peer(peer: tuple[str, int], ours: tuple[str, int]) -> int:
    """The user whose socket is at `peer` of a connection to `ours`.

    Of a socket that its process has closed the table says root: such a one is nobody's. Raises
    `UnknownPeerError`. Blocks for well under a millisecond: the table is made in memory.
    """
    ends = _in_table(peer), _in_table(ours)
    # A socket for both families has its IPv4 connections in the table of IPv6.
    tables = _TABLES[1:] if ":" in peer[0] else _TABLES
    for table, prefix in zip(tables, ("", _MAPPED), strict=False):
        try:
            text = table.read_text("ascii")
        except OSError:
            continue
        # A busy machine has thousands of rows: one alone is taken apart.
        begin = text.find(f" {prefix}{ends[0]} {prefix}{ends[1]} ")
        if begin < 0:
            continue
        fields = text[begin : text.find("\n", begin)].split()
        if len(fields) <= _INODE or fields[_INODE] == "0":
            raise UnknownPeerError
        return int(fields[_UID])
    raise UnknownPeerError


def is_same_user(peer: tuple[str, int], ours: tuple[str, int]) -> bool:
    """Whether this process' own user is at `peer`; never yes wrongly."""
    if sys.platform == "win32":
        return False
    else:
        return is_user_of((os.getuid(),), peer, ours)


def is_user_of(uids: Collection[int], peer: tuple[str, int], ours: tuple[str, int]) -> bool:
    """Whether one of these users is at `peer`; never yes wrongly."""
    try:
        return bool(uids) and uid_of_peer(peer, ours) in uids
    except UnknownPeerError:
        return False


def _in_table(address: tuple[str, int]) -> str:
    """An address as the kernel prints it: words of 32 bits in the machine's own order."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host)
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return f"{b''.join(words).hex().upper()}:{port:04X}"
