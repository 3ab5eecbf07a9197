"""`files.*`: what a page does with files that its app was allowed to reach."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Method, Params, Result

READ_BYTES = 1024 * 1024
"""Of one `files.read`; a longer file is read in parts."""

WRITE_BYTES = 2 * 1024 * 1024
LIST_ENTRIES = 1_000
"""Of one answer; what comes behind is asked for with `after`."""

MAX_OFFSET = 2**53 - 1
"""The largest that JavaScript can count."""

Path = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        description="Absolute; ~ stands for the home folder. Links are followed before any check.",
    ),
]
Encoding = Literal["text", "base64"]
EntryKind = Literal["file", "folder", "link", "other"]


class ReadFileParams(Params, frozen=True, kw_only=True):
    """At most `limit` bytes from byte `offset`. `text` is UTF-8, in whole characters."""

    path: Path
    encoding: Encoding = "text"
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET)] = 0
    limit: Annotated[int, Meta(ge=1, le=READ_BYTES)] = READ_BYTES


class ReadFileResult(Result, frozen=True, kw_only=True):
    """`path` is where the file really is. `next` is the offset to go on at; without it, the end.

    `size` is bytes, `modified` Unix milliseconds.
    """

    path: str
    content: str
    encoding: Encoding
    size: int
    modified: int
    next: int | UnsetType = UNSET


class WriteFileParams(Params, frozen=True, kw_only=True):
    """`create` refuses a file that is there, `replace` puts the new one in its place at once."""

    path: Path
    content: Annotated[str, Meta(max_length=(WRITE_BYTES + 2) // 3 * 4)]
    encoding: Encoding = "text"
    mode: Literal["create", "replace", "append"] = "create"


class WriteFileResult(Result, frozen=True, kw_only=True):
    """`size` is the file's, in bytes."""

    path: str
    size: int


class ListFilesParams(Params, frozen=True, kw_only=True):
    """`after` is the last name of the page before."""

    path: Path
    after: str = ""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`size` is bytes, `modified` Unix milliseconds. A link is told as one, and not followed."""

    name: str
    kind: EntryKind
    size: int
    modified: int


class ListFilesResult(Result, frozen=True, kw_only=True):
    """By name, at most 1,000. `more` says that there are others still, behind the last."""

    path: str
    entries: list[FileEntry]
    more: bool = False


METHODS = (
    Method(
        name="files.read",
        summary="Reads a file, or a part of it; a person may be asked for filesystem.read.",
        params=ReadFileParams,
        result=ReadFileResult,
    ),
    Method(
        name="files.write",
        summary="Writes a file; a person may be asked for filesystem.write.",
        params=WriteFileParams,
        result=WriteFileResult,
    ),
    Method(
        name="files.list",
        summary="Lists a folder; a person may be asked for filesystem.read.",
        params=ListFilesParams,
        result=ListFilesResult,
    ),
)
