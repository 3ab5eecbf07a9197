"""The shell link: descriptors 0 and 1 are the wire's alone, and nothing on it kills the backend."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from deskbus_protocol.client import connect
from deskbus_protocol.errors import SESSION_REQUIRED, DeskbusError
from tests.integration.conftest import CONFIG
from tests.integration.shell import LIMIT_S, TestShell, start_shell


@pytest.fixture(scope="module")
async def lasting_shell(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestShell]:
    """For whatever harms nobody."""
    async with start_shell(tmp_path_factory.mktemp("lasting"), config=CONFIG) as started:
        yield started


STRAY_WRITES = """
import os, subprocess, sys
from deskbus.transport.standard_streams.standard_descriptors import claim_standard_descriptors
claimed = claim_standard_descriptors()
print("stray print")
sys.stdout.flush()
os.write(1, b"stray write")
subprocess.run([sys.executable, "-c", "print('stray child')"], check=True)
assert os.read(0, 10) == b""
os.write(claimed.write, b"wire:" + os.read(claimed.read, 100))
"""


def test_stray_output_can_not_touch_the_wire_and_children_can_not_eat_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRAY_WRITES], input=b"hello", capture_output=True, check=True
    )
    assert done.stdout == b"wire:hello"
    for stray in (b"stray print", b"stray write", b"stray child"):
        assert stray in done.stderr


@pytest.mark.parametrize(
    ("version", "side"),
    [
        ("9.0", "Update the backend to a deskbus that speaks protocol 9"),
        ("0.9", "Update deskbus-electron, or the client"),
        ("x", "Update deskbus-electron, or the client"),
    ],
)
async def test_a_hello_of_another_version_is_told_which_side_to_update(
    lasting_shell: TestShell, version: str, side: str
) -> None:
    with pytest.raises(DeskbusError) as refused:
        await lasting_shell.client.call("session.hello", {"protocolVersion": version, "shell": "x"})
    assert refused.value.kind.name == "version_mismatch"
    assert refused.value.action.startswith(side)


async def test_shutdown_answers_and_ends_the_backend(shell: TestShell) -> None:
    await shell.client.call("session.shutdown")
    with anyio.fail_after(LIMIT_S):
        assert await shell.process.wait() == 0


@pytest.mark.parametrize(
    "attack",
    [
        b"\x00" * 1000 + b"\n",
        b"{" * 100_000 + b"\n",
        b'{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"a","payload":' + b"[" * 9999,
        b"Content-Length: 99999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        b'{"jsonrpc":"2.0","id":1,"result":1}\n' * 1000,
    ],
    ids=["zeros", "braces", "cut deep frame", "huge length", "http", "stray answers"],
)
async def test_a_hostile_connection_harms_nobody(lasting_shell: TestShell, attack: bytes) -> None:
    shell = lasting_shell
    async with shell.app("desk.feed") as feed:
        before = await feed.publish("prices.EURUSD", 0, confirm=True)
        async with await anyio.connect_unix(shell.hello.pipe) as hostile:
            await hostile.send(attack)
        async with connect(shell.hello.pipe) as other:
            for method in ("rpc.discover", "audit.head"):
                with pytest.raises(DeskbusError) as stranger:
                    await other.call(method)
                assert stranger.value.kind is SESSION_REQUIRED
        await feed.call("rpc.discover")
        after = await feed.publish("prices.EURUSD", 1, confirm=True)
        assert after.seq == before.seq + 1


async def test_the_socket_is_gone_after_the_end(shell: TestShell) -> None:
    await shell.client.call("session.shutdown")
    await shell.process.wait()
    assert not Path(shell.hello.pipe).exists()
