"""`files.*`."""

import base64
import binascii
import stat
from collections.abc import Mapping

import anyio
from msgspec import UNSET, Raw

from deskbus.reliability.fair_queue import FairQueue
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.confined_files import ConfinedFiles, FilePart, FolderEntry
from deskbus.security.permission_service import PermissionService
from deskbus_protocol.errors import INVALID_PARAMS, TOO_LARGE, DeskbusError
from deskbus_protocol.files import (
    LIST_ENTRIES,
    WRITE_BYTES,
    EntryKind,
    FileEntry,
    ListFilesParams,
    ListFilesResult,
    ReadFileParams,
    ReadFileResult,
    WriteFileParams,
    WriteFileResult,
)
from deskbus_protocol.permissions import Grant
from deskbus_protocol.wire.rpc import encode

MAX_PARTIAL_BYTES = 3
"""Bytes of an incomplete UTF-8 character at the end of a chunk."""


MAX_AT_ONCE = 8
MAX_OF_APP = 2
"""Threads; a slow disk must not take those that the vault and the audit log wait for.

Answers are made there too: a large one would keep the event loop for milliseconds.
"""


def handlers(files: ConfinedFiles, permissions: PermissionService) -> Mapping[str, Handler]:
    threads = anyio.CapacityLimiter(MAX_AT_ONCE)
    turns = FairQueue(MAX_AT_ONCE, of_one=MAX_OF_APP)

    async def read(call: Call, params: ReadFileParams) -> Raw:
        wanted = Grant("filesystem.read", params.path)
        permit = await permissions.require(call.identity, wanted, check=files.check_read)

        def work() -> Raw:
            part = files.read(permit.grant.scope, params.offset, params.limit)
            return Raw(encode(_read_result(permit.grant.scope, params, part)))

        with permissions.holding(permit):
            async with turns.take(call.identity.app):
                return await anyio.to_thread.run_sync(work, limiter=threads)

    async def write(call: Call, params: WriteFileParams) -> WriteFileResult:
        wanted = Grant("filesystem.write", params.path)

        async with turns.take(call.identity.app):
            content = await anyio.to_thread.run_sync(_bytes, params, limiter=threads)
        permit = await permissions.require(call.identity, wanted, check=files.check_write)
        path = permit.grant.scope
        with permissions.holding(permit):
            async with turns.take(call.identity.app):
                size = await anyio.to_thread.run_sync(
                    files.write, path, content, params.mode, limiter=threads
                )
            return WriteFileResult(path=path, size=size)

    async def list_folder(call: Call, params: ListFilesParams) -> Raw:
        wanted = Grant("filesystem.read", params.path)
        permit = await permissions.require(call.identity, wanted, check=files.check_read)
        path = permit.grant.scope

        def work() -> Raw:
            found = files.list(path, LIST_ENTRIES + 1, params.after)
            result = ListFilesResult(
                path=path,
                entries=[_entry(entry) for entry in found[:LIST_ENTRIES]],
                more=len(found) > LIST_ENTRIES,
            )
            return Raw(encode(result))

        with permissions.holding(permit):
            async with turns.take(call.identity.app):
                return await anyio.to_thread.run_sync(work, limiter=threads)

    return {"files.read": read, "files.write": write, "files.list": list_folder}


def _read_result(path: str, params: ReadFileParams, part: FilePart) -> ReadFileResult:
    """Raises `DeskbusError` (invalid_params) for what is not the text that was asked for."""
    end = params.offset + len(part.content)
    if params.encoding == "text":
        content, taken = _text(part.content, is_end=end >= part.size)
    else:
        content, taken = base64.b64encode(part.content).decode(), len(part.content)
    reached = params.offset + taken
    return ReadFileResult(
        path=path,
        content=content,
        encoding=params.encoding,
        size=part.size,
        modified=part.modified_ms,
        next=reached if taken and reached < part.size else UNSET,
    )


def _text(content: bytes, *, is_end: bool) -> tuple[str, int]:
    """The whole characters of a chunk and their length in bytes; raises `DeskbusError`
    (invalid_params).
    """
    for cut in range(1 if is_end else MAX_PARTIAL_BYTES + 1):
        try:
            taken = len(content) - cut
            return content[:taken].decode(), taken
        except UnicodeDecodeError:
            continue
    raise DeskbusError(
        INVALID_PARAMS, "This file is not UTF-8 text.", action='Read it with encoding "base64".'
    )


def _bytes(params: WriteFileParams) -> bytes:
    """Raises `DeskbusError`: invalid_params, too_large."""
    try:
        content = (
            params.content.encode()
            if params.encoding == "text"
            else base64.b64decode(params.content, validate=True)
        )
    except (UnicodeEncodeError, binascii.Error):
        raise DeskbusError(INVALID_PARAMS, "The content is not what its encoding says.") from None
    if len(content) > WRITE_BYTES:
        raise DeskbusError(
            TOO_LARGE, "At most 2 MiB at once.", action='Write the rest with mode "append".'
        )
    return content


def _entry(entry: FolderEntry) -> FileEntry:
    return FileEntry(
        name=entry.name, kind=_kind(entry.mode), size=entry.size, modified=entry.modified_ms
    )


def _kind(mode: int) -> EntryKind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"
