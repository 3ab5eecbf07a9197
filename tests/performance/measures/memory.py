"""Memory curves: what topics, histories, queues and readers that never read cost the backend."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from deskbus_protocol.wire import rpc
from tests.performance.report.outcome import Curve
from tests.performance.report.rows import SERVERS
from tests.performance.servers.ours import opening
from tests.performance.servers.server import Running, started

TOPICS = (0, 10_000, 100_000, 1_000_000)
UNREAD = (0, 10_000, 100_000, 400_000)
HISTORIES = (0, 1_000, 10_000)
HISTORY_MESSAGES = 100
PAYLOAD = "x" * 254
BLOCK = 500


def measure(*, quick: bool) -> list[Curve]:
    """Megabytes of the backend's process after each step, all steps in one run of it."""
    return [
        Curve(
            name="memory, topics seen",
            of="topics",
            unit="MB",
            points=_topics(TOPICS[:3] if quick else TOPICS),
        ),
        Curve(
            name="memory, a subscriber that never reads",
            of="messages",
            unit="MB",
            points=_unread(UNREAD[:3] if quick else UNREAD),
        ),
        Curve(
            name="memory, full histories of 256-byte messages",
            of="topics",
            unit="MB",
            points=_histories(HISTORIES[:2] if quick else HISTORIES),
        ),
    ]


def _topics(steps: tuple[int, ...]) -> list[tuple[int, float]]:
    with started(SERVERS["deskbus"]) as running, _connected(running) as sender:
        points, seen = [], 0
        for step in steps:
            _publish(sender, [f"seen.t{number}" for number in range(seen, step)])
            seen = step
            points.append((step, running.memory_mb()))
        return points


def _unread(steps: tuple[int, ...]) -> list[tuple[int, float]]:
    with (
        started(SERVERS["deskbus"]) as running,
        _connected(running) as sender,
        _connected(running) as deaf,
    ):
        _call(deaf, "bus.subscribe", {"pattern": "unread"})
        points, sent = [], 0
        for step in steps:
            _publish(sender, ["unread"] * (step - sent))
            sent = step
            points.append((step, running.memory_mb()))
        return points


def _histories(steps: tuple[int, ...]) -> list[tuple[int, float]]:
    with started(SERVERS["deskbus"]) as running, _connected(running) as sender:
        points, filled = [], 0
        for step in steps:
            for number in range(filled, step):
                _publish(sender, [f"kept.t{number}"] * HISTORY_MESSAGES)
            filled = step
            points.append((step, running.memory_mb()))
        return points


@contextmanager
def _connected(running: Running) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(running.address["pipe"])
        connection.sendall(opening(running.address))
        connection.recv(65_536)
        yield connection


def _publish(connection: socket.socket, topics: list[str]) -> None:
    """Publishes one message on each; returns when all are routed."""
    for start in range(0, len(topics), BLOCK):
        frames = [
            rpc.notification("bus.publish", {"topic": topic, "payload": PAYLOAD})
            for topic in topics[start : start + BLOCK]
        ]
        connection.sendall(b"\n".join(frames) + b"\n")
    _call(connection, "session.ping", {})


def _call(connection: socket.socket, method: str, params: object) -> None:
    connection.sendall(rpc.request(method, params, 1) + b"\n")
    connection.recv(65_536)
