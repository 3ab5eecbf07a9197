"""The pipe on Windows: a named pipe that only this user can open. CI does not run this file."""

import asyncio
import ctypes
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from deskbus.transport.link import NO_PROCESS, Link
from deskbus.transport.named_pipes.pipe_state import UnsafeDirectoryError
from deskbus.transport.outbox import Flusher

PIPE_ACCESS_DUPLEX = 0x3
FILE_FLAG_OVERLAPPED = 0x4000_0000
FILE_FLAG_FIRST_PIPE_INSTANCE = 0x0008_0000
PIPE_REJECT_REMOTE_CLIENTS = 0x8
PIPE_UNLIMITED_INSTANCES = 255
BUFFER_BYTES = 256 * 1024
OWNER_ONLY_SDDL = "D:P(A;;GA;;;OW)"
"""A protected DACL with one entry: everything for the owner, nothing for anyone else."""


class _PipeLink(Link):
    """A link that is accepted once it can be written to."""

    def __init__(self, flusher: Flusher, accept: Callable[[Link], None]) -> None:
        super().__init__(flusher)
        self._accept = accept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.process = peer_process(transport)
        super().connection_made(transport)
        self._accept(self)


def peer_process(transport: asyncio.BaseTransport) -> int:
    """The process at the other end of a pipe; `NO_PROCESS` where that is not told."""
    number = ctypes.c_ulong(NO_PROCESS)
    if sys.platform == "win32":
        pipe = transport.get_extra_info("pipe")
        ctypes.windll.kernel32.GetNamedPipeClientProcessId(
            ctypes.c_void_p(pipe.handle), ctypes.byref(number)
        )
    return number.value


class _SecurityAttributes(ctypes.Structure):
    _fields_ = (
        ("nLength", ctypes.c_uint32),
        ("lpSecurityDescriptor", ctypes.c_void_p),
        ("bInheritHandle", ctypes.c_int),
    )


if sys.platform == "win32":
    import _winapi
    from asyncio import windows_utils
    from ctypes import wintypes

    def _create_instance(name: str, *, first: bool) -> windows_utils.PipeHandle:
        descriptor = ctypes.c_void_p()
        if not ctypes.windll.advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(
            OWNER_ONLY_SDDL, 1, ctypes.byref(descriptor), None
        ):
            raise ctypes.WinError()
        try:
            security = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor.value, 0)
            create = ctypes.windll.kernel32.CreateNamedPipeW
            create.restype = wintypes.HANDLE
            handle = create(
                name,
                PIPE_ACCESS_DUPLEX
                | FILE_FLAG_OVERLAPPED
                | (FILE_FLAG_FIRST_PIPE_INSTANCE if first else 0),
                PIPE_REJECT_REMOTE_CLIENTS,
                PIPE_UNLIMITED_INSTANCES,
                BUFFER_BYTES,
                BUFFER_BYTES,
                0,
                ctypes.byref(security),
            )
        finally:
            ctypes.windll.kernel32.LocalFree(descriptor)
        if handle == _winapi.INVALID_HANDLE_VALUE:
            raise ctypes.WinError()
        return windows_utils.PipeHandle(handle)

    async def _accept_forever(
        loop: Any, first: windows_utils.PipeHandle, name: str, make: Callable[[], Link]
    ) -> None:
        """Waits on one instance at a time and makes the next before it is served."""
        instance = first
        while True:
            try:
                await loop._proactor.accept_pipe(instance)  # noqa: SLF001
            except BrokenPipeError:
                # This client has gone again; the next one is served.
                instance.close()
                instance = _create_instance(name, first=False)
                continue
            except asyncio.CancelledError:
                instance.close()
                raise
            served, instance = instance, _create_instance(name, first=False)
            loop._make_duplex_pipe_transport(served, make(), extra={"addr": name})  # noqa: SLF001

    @asynccontextmanager
    async def listen(
        name: str, flusher: Flusher, accept: Callable[[Link], None]
    ) -> AsyncIterator[str]:
        """Listens for the length of a `with` block, whose value is the pipe's name.

        Being the first instance is required, so a name that somebody took before is an error.
        """

        def make() -> Link:
            return _PipeLink(flusher, accept)

        try:
            first = _create_instance(name, first=True)
        except PermissionError:
            words = f"another backend runs on this data folder ({name})"
            raise UnsafeDirectoryError(words) from None
        loop = asyncio.get_running_loop()
        acceptor = asyncio.create_task(_accept_forever(loop, first, name, make))
        try:
            yield name
        finally:
            acceptor.cancel()
