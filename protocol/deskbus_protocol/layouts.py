"""`session.save`, `session.restore` and others: layouts of the desk, kept in files.

They are no calls about a connection's session, whose names (`session.open`, `session.resume`) stand
in `session.py`.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.fdc3 import MAX_CHANNEL_ID, LastContext
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole
from deskbus_protocol.session import AppId, ClientName
from deskbus_protocol.ui import Bounds

LAST = "last"
"""The layout without a name: the desk as it was left."""

LAYOUT_VERSION = 1
MAX_LAYOUT_APPS = 1_000
MAX_LAYOUT_WINDOWS = 64
"""Of one app, as many as it may have open."""

MAX_LAYOUT_CONTEXTS = 10_000

LAYOUT_NAME = "[a-z0-9][a-z0-9_-]*"

LayoutName = Annotated[
    str,
    Meta(
        pattern=whole(LAYOUT_NAME),
        max_length=64,
        examples=["trading"],
        description="Lower-case ASCII, for it is a part of a file's name.",
    ),
]
Channel = Annotated[str, Meta(min_length=1, max_length=MAX_CHANNEL_ID)]


class LayoutWindow(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A window by its client's name, its place, and the user channel of FDC3 that it is on."""

    client: ClientName
    bounds: Bounds | UnsetType = UNSET
    channel: Channel | UnsetType = UNSET


class LayoutApp(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An app that ran; `channel` is that of its own process."""

    app: AppId
    windows: Annotated[list[LayoutWindow], Meta(max_length=MAX_LAYOUT_WINDOWS)] = []
    channel: Channel | UnsetType = UNSET


class Layout(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The content of a layout's file. `saved_at` is Unix milliseconds.

    `contexts` are the last ones of user and app channels, the newest of a channel first.
    """

    version: int = LAYOUT_VERSION
    saved_at: int = 0
    apps: Annotated[list[LayoutApp], Meta(max_length=MAX_LAYOUT_APPS)] = []
    contexts: Annotated[list[LastContext], Meta(max_length=MAX_LAYOUT_CONTEXTS)] = []


class LayoutParams(Params, frozen=True, kw_only=True):
    name: LayoutName = LAST


class NamedLayoutParams(Params, frozen=True, kw_only=True):
    name: LayoutName


class LayoutSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A layout by its counts. `saved_at` is Unix milliseconds."""

    name: LayoutName
    saved_at: int
    apps: int
    windows: int
    contexts: int


class SaveLayoutResult(Result, frozen=True, kw_only=True):
    """`path` is the file, which may be copied to another machine's folder of layouts."""

    layout: LayoutSummary
    path: str


class NotRestored(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An app of a layout that did not come back, and why, in words for a person."""

    app: AppId
    reason: str


class RestoreLayoutResult(Result, frozen=True, kw_only=True):
    """The apps and windows that are there again, and the apps that are not."""

    apps: int
    windows: int
    failed: list[NotRestored]


class LayoutList(Result, frozen=True, kw_only=True):
    layouts: list[LayoutSummary]


METHODS = (
    Method(
        name="session.save",
        summary="Keeps the desk in a file: apps, windows and their places, channels, contexts.",
        params=LayoutParams,
        result=SaveLayoutResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
    Method(
        name="session.restore",
        summary="Brings a layout back: its apps, windows, channels; contexts where there are none.",
        params=LayoutParams,
        result=RestoreLayoutResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
    Method(
        name="session.list",
        summary="Lists the layouts that were saved.",
        params=NoParams,
        result=LayoutList,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="session.remove",
        summary="Deletes a layout.",
        params=NamedLayoutParams,
        result=Empty,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
)
