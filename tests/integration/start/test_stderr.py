"""Standard error: closed, full or gone, it neither holds the backend up nor ends it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from deskbus.config import runtime_dir_for
from deskbus.transport.named_pipes.pipe import address
from deskbus_protocol.client import connect
from deskbus_protocol.errors import DeskbusError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")

LIMIT_S = 20.0
HELLO = b'{"jsonrpc":"2.0","id":1,"method":"session.hello","params":%b}\n'
WHO = b'{"protocolVersion":"1.0","shell":"tests"}'


class Served:
    """A backend on our standard input and output."""

    def __init__(self, process: "subprocess.Popen[bytes]", data_dir: Path) -> None:
        self.process = process
        self.pipe = address(runtime_dir_for(data_dir))

    def ask(self, method: str, params: bytes = b"{}") -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = b'{"jsonrpc":"2.0","id":7,"method":"%b","params":%b}\n'
        self.process.stdin.write(request % (method.encode(), params))
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == 7:
                return dict(answer["result"])

    def log_health(self) -> dict[str, str]:
        return self.ask("health.get")["components"]["log"]  # type: ignore[index, no-any-return]


@contextmanager
def served(data_dir: Path, stderr: int | None) -> Iterator[Served]:
    command = [sys.executable, "-m", "deskbus", "serve", "--stdio", "--data-dir", str(data_dir)]
    if stderr is None:
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
    ) as process:
        running = Served(process, data_dir)
        try:
            running.ask("session.hello", WHO)
            yield running
            running.ask("session.shutdown")
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()


async def refuse_tickets(pipe: str, count: int) -> None:
    """Each is a warning in the log."""
    with anyio.fail_after(60):
        for _ in range(count):
            async with connect(pipe) as client:
                with pytest.raises(DeskbusError, match="ticket"):
                    await client.call(
                        "session.open", {"ticket": "x" * 43, "app": "a.b", "protocolVersion": "1.0"}
                    )


@pytest.mark.parametrize("how", ["closed", "nobody reads it"])
async def test_a_backend_starts_without_a_standard_error(tmp_path: Path, how: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with served(tmp_path, None if how == "closed" else writing) as backend:
        await refuse_tickets(backend.pipe, 5)
        assert backend.log_health()["status"] == "degraded"
    os.close(writing)


async def test_a_reader_that_goes_away_ends_nothing_and_health_says_so(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with served(tmp_path, writing) as backend:
        os.close(writing)
        assert b"backend.ready" in os.read(reading, 65_536)
        os.close(reading)
        await refuse_tickets(backend.pipe, 5)
        health = backend.log_health()
        assert health["status"] == "degraded"
        assert "nobody reads standard error" in health["detail"]


async def test_a_full_standard_error_blocks_nobody_and_what_is_dropped_is_counted(
    tmp_path: Path,
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"full\n" * 800)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    with served(tmp_path, writing) as backend:
        await refuse_tickets(backend.pipe, 700)
        assert backend.log_health()["status"] == "ok"
    os.close(reading)
    os.close(writing)


NATIVE = """
import os, time
from deskbus.observability.logs.standard_error import take_standard_error
taken = take_standard_error(and_output=True)
for _ in range(64):
    os.write(1, b"x" * 65_535 + b"\\n")
    os.write(2, b"y" * 65_535 + b"\\n")
while taken.dropped < 2:
    time.sleep(0.001)
health = taken.health()
assert health.status == "degraded" and "not read fast enough" in health.detail, health
os._exit(0) if not taken.drain(0.1) else os._exit(3)
"""


def test_native_writes_to_both_descriptors_never_wait_for_a_reader() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", NATIVE], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        # Nobody reads its standard error.
        assert process.wait(LIMIT_S) == 0


def test_the_last_words_of_a_backend_that_ends_are_read() -> None:
    program = (
        "from deskbus.observability.logs.standard_error import take_standard_error\n"
        "take_standard_error(and_output=True)\nprint('printed')\n"
        "raise SystemError('the last words')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"printed" in done.stderr
    assert b"the last words" in done.stderr
    assert not done.stdout
