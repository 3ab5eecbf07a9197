"""The stream of a Windows named pipe, over a Unix socket: asyncio's transports are alike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketStream

from deskbus_protocol.client import pipe
from deskbus_protocol.client.pipe import open_named_pipe


class PipesOnly:
    """An event loop with the one way that Windows' has to a pipe."""

    async def create_pipe_connection(self, factory: Callable[[], Any], address: str) -> Any:
        return await asyncio.get_running_loop().create_unix_connection(factory, address)


class Busy:
    async def create_pipe_connection(self, *_: object) -> Any:
        await anyio.sleep_forever()


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[ByteStream, SocketStream]]:
    address = folder / "pipe"
    async with await anyio.create_unix_listener(address) as listener:
        stream = await open_named_pipe(str(address), PipesOnly())
        async with stream, await listener.accept() as other:
            yield stream, other


async def test_bytes_go_both_ways(tmp_path: Path) -> None:
    with anyio.fail_after(20):
        async with connected(tmp_path) as (stream, other):
            await stream.send(b"question")
            assert await other.receive() == b"question"
            await other.send(b"answer")
            assert await stream.receive() == b"answer"


async def test_the_other_sides_end_is_the_end_of_the_stream(tmp_path: Path) -> None:
    with anyio.fail_after(20):
        async with connected(tmp_path) as (stream, other):
            await other.aclose()
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()


async def test_closing_wakes_who_reads_and_refuses_who_writes(tmp_path: Path) -> None:
    async def read(stream: ByteStream) -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await stream.receive()

    with anyio.fail_after(20):
        async with connected(tmp_path) as (stream, _), anyio.create_task_group() as tasks:
            tasks.start_soon(read, stream)
            await anyio.wait_all_tasks_blocked()
            await stream.aclose()
            with pytest.raises(anyio.ClosedResourceError):
                await stream.send(b"late")


async def test_no_pipe_is_a_file_that_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await open_named_pipe(str(tmp_path / "none"), PipesOnly())


async def test_a_pipe_without_room_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipe, "CONNECT_WITHIN_S", 0)
    with pytest.raises(ConnectionRefusedError):
        await open_named_pipe("busy", Busy())
