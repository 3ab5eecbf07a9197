"""Collectors of traces that the benchmark exports to: one that takes them, and ones that do not."""

import socket
import threading
from collections.abc import Callable
from functools import cache

from tests.performance.servers.server import free_port

TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NONSENSE = b"SSH-2.0-OpenSSH_9.2\r\n"
CHUNK_BYTES = 65_536
VISITORS = 64
"""Those that a slow collector keeps waiting at once; the first of more is sent away."""

_HEAD_END = b"\r\n\r\n"


@cache
def url(kind: str) -> str:
    """Of a collector that is `good`, `away`, `slow`, or answers `nonsense`, of this process."""
    if kind == "away":
        return f"http://127.0.0.1:{free_port()}"
    listener = socket.create_server(("127.0.0.1", 0))
    serve = {"good": _take, "slow": _keep_waiting(), "nonsense": _answer_nonsense}[kind]
    threading.Thread(target=_serve, args=(listener, serve), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _serve(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        visitor, _ = listener.accept()
        try:
            serve(visitor)
        except OSError:
            visitor.close()


def _take(visitor: socket.socket) -> None:
    with visitor:
        visitor.settimeout(5.0)
        read = b""
        while _HEAD_END not in read:
            read += _received(visitor)
        head, _, body = read.partition(_HEAD_END)
        fields = (field.lower().partition(b":") for field in head.split(b"\r\n"))
        left = sum(int(value) for name, _, value in fields if name == b"content-length")
        left -= len(body)
        while left > 0:
            left -= len(_received(visitor))
        visitor.sendall(TAKEN)


def _received(visitor: socket.socket) -> bytes:
    block = visitor.recv(CHUNK_BYTES)
    if not block:
        raise ConnectionError("the exporter has left")
    return block


def _keep_waiting() -> Callable[[socket.socket], None]:
    waiting: list[socket.socket] = []

    def keep(visitor: socket.socket) -> None:
        waiting.append(visitor)
        if len(waiting) > VISITORS:
            waiting.pop(0).close()

    return keep


def _answer_nonsense(visitor: socket.socket) -> None:
    with visitor:
        visitor.settimeout(5.0)
        visitor.recv(CHUNK_BYTES)
        visitor.sendall(NONSENSE)
