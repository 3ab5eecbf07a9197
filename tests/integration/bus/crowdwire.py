"""A client of the plainest kind, on a blocking socket: what times others must not wait itself."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.wire import rpc

ANSWER_WITHIN_S = 20.0


class Wire:
    """One link with a session. `told` keeps the notifications that came meanwhile."""

    def __init__(self, pipe: Path, app: str, ticket: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_WITHIN_S)
        self._socket.connect(str(pipe))
        self._held = b""
        self._last_id = 0
        self.told: list[dict[str, Any]] = []
        opening = {"ticket": ticket, "app": app, "protocolVersion": PROTOCOL_VERSION}
        self.session = self.call("session.open", opening)

    def call(self, method: str, params: object) -> Any:
        """Raises `AssertionError` where it is refused."""
        frame = self.ask(method, params)
        assert "error" not in frame, frame
        return frame["result"]

    def ask(self, method: str, params: object) -> dict[str, Any]:
        self._last_id += 1
        self._socket.sendall(rpc.request(method, params, self._last_id) + b"\n")
        while True:
            frame = self._read()
            if "method" in frame:
                self._take(frame)
            elif frame["id"] == self._last_id:
                return frame

    def round_trip(self, topic: str, payload: object) -> None:
        """Publishes, and returns when that has come back; whatever comes before is kept."""
        self.send(rpc.notification("bus.publish", {"topic": topic, "payload": payload}))
        while True:
            frame = self._read()
            if frame.get("method") == "bus.message":
                assert frame["params"]["payload"] == payload
                return
            self._take(frame)

    def send(self, frame: bytes) -> None:
        self._socket.sendall(frame + b"\n")

    def close(self) -> None:
        self._socket.close()

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["method"] == "session.ping":
            # It was silent for long, as it may where the machine is busy.
            self.send(rpc.success(rpc.encode(frame["id"]), {}))
        else:
            self.told.append(frame)

    def _read(self) -> dict[str, Any]:
        while b"\n" not in self._held:
            data = self._socket.recv(256 * 1024)
            if not data:
                raise ConnectionResetError("the backend closed the link")
            self._held += data
        line, _, self._held = self._held.partition(b"\n")
        frame: dict[str, Any] = msgspec.json.decode(line)
        return frame


class ProcessClock:
    """How long another process ran, with all its threads, and how long its main one was kept from
    it: in both, seconds.
    """

    def __init__(self, pid: int) -> None:
        # clock_getcpuclockid(3) of Linux: the process's number, and CPUCLOCK_SCHED.
        self._clock = (~pid << 3) | 2
        self._main = Path(f"/proc/{pid}/task/{pid}/schedstat")
        self._own = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    def ran_s(self) -> float:
        return time.clock_gettime(self._clock)

    def delayed_s(self) -> float:
        """How long other programs kept that process, and this thread, from a processor; and how
        long this thread ran itself, whose garbage collector has all of a test run to look at.
        """
        return _delay_s(self._main) + _delay_s(self._own) + time.thread_time()


def _delay_s(schedstat: Path) -> float:
    """The second figure (Documentation/scheduler/sched-stats.rst of Linux), nanoseconds."""
    return int(schedstat.read_bytes().split()[1]) / 1e9
