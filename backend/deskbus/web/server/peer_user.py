"""The user at the other end of a loopback connection, where the system tells."""

import os
import socket
import struct
import sys
from collections.abc import Collection
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MAPPED = "0000000000000000FFFF0000" if sys.byteorder == "little" else "00000000000000000000FFFF"
_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_ALL_STATES = 0xFFFFFFFF
_NETLINK_HEAD, _QUERY, _OWNER = (
    struct.Struct("=IHHII"),
    struct.Struct("=BBBBI"),
    struct.Struct("=II"),
)
_ANY_SOCKET = struct.pack("=I", 0) + b"\xff" * 8
"""The rest of `inet_diag_sockid` (linux/inet_diag.h): any interface, and no cookie."""

_OWNER_AT = 64
"""The place of `idiag_uid` in `inet_diag_msg`."""

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
    try:
        uid, inode = _diagnosed(peer, ours)
    except OSError:
        return _uid_in_table(peer, ours)
    if not inode:
        raise UnknownPeerError
    return uid


def _diagnosed(peer: tuple[str, int], ours: tuple[str, int]) -> tuple[int, int]:
    """User and inode of one socket, as sock_diag(7) tells them; raises `OSError`.

    The table has a row for each connection of the machine, those that have ended too: whoever
    connects again and again would make each look at it long.
    """
    if sys.platform == "linux":
        (family, source), (_, destination) = _packed(peer[0]), _packed(ours[0])
        query = _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES)
        query += struct.pack("!HH16s16s", peer[1], ours[1], source, destination) + _ANY_SOCKET
        head = _NETLINK_HEAD.pack(_NETLINK_HEAD.size + len(query), _BY_FAMILY, _REQUEST, 1, 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.setblocking(False)
            kernel.send(head + query)
            answer = kernel.recv(4096)
        if _NETLINK_HEAD.unpack_from(answer)[1] != _BY_FAMILY:
            raise OSError
        uid, inode = _OWNER.unpack_from(answer, _NETLINK_HEAD.size + _OWNER_AT)
        return uid, inode
    else:
        raise OSError


def _packed(host: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, socket.inet_pton(family, host)


def _uid_in_table(peer: tuple[str, int], ours: tuple[str, int]) -> int:
    """The same out of the table that every Linux has; raises `UnknownPeerError`."""
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
