"""`ui.*`: what the backend asks the shell to draw. Each descriptor has a schema of its own."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.fdc3 import Version
from deskbus_protocol.manifest import Colour
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole
from deskbus_protocol.session import AppId, ClientName

Text = Annotated[str, Meta(max_length=2000)]
Exact = Annotated[str, Meta(max_length=10_000)]
"""A scope with each of its hidden characters written out."""
WindowId = Annotated[str, Meta(min_length=1, max_length=128)]
DialogId = Annotated[str, Meta(min_length=1, max_length=128)]
NoticeId = Annotated[str, Meta(min_length=1, max_length=256)]
Pixels = Annotated[int, Meta(ge=1, le=32_767)]

ALLOW_DELAY_MS = 500
"""Allow counts only after a dialog has been in view this long, against click-through."""


class Descriptor(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """Base of what the shell renders; a shell refuses a descriptor that breaks its schema."""


class WindowDescriptor(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="window"):
    """A window of an app. `url` is absolute: `file:` for local apps, else `https:`.

    `root` is the folder whose files the window may load; without one, that of its own file.
    `background_color` lies below the page; white unless told. With `fdc3` the page has
    `window.fdc3`, of this version of the standard.
    """

    window: WindowId
    app: AppId
    client: ClientName
    title: Text
    url: Annotated[
        str, Meta(pattern=whole(r"(file|https|http)://[^\x00-\x1f\x7f]*"), max_length=2048)
    ]
    width: Pixels
    height: Pixels
    x: Annotated[int, Meta(ge=-32_768, le=32_767)] | UnsetType = UNSET
    y: Annotated[int, Meta(ge=-32_768, le=32_767)] | UnsetType = UNSET
    root: (
        Annotated[str, Meta(pattern=whole(r"file:///[^\x00-\x1f\x7f]*"), max_length=2048)]
        | UnsetType
    ) = UNSET
    background_color: Colour | UnsetType = UNSET
    fdc3: Version | UnsetType = UNSET


class Bounds(Descriptor, frozen=True, kw_only=True):
    """The place and size of a window on the desk, in pixels that don't depend on its scale."""

    x: Annotated[int, Meta(ge=-32_768, le=32_767)]
    y: Annotated[int, Meta(ge=-32_768, le=32_767)]
    width: Pixels
    height: Pixels


class AppIdentity(Descriptor, frozen=True, kw_only=True):
    """The requester as a person sees it. Names come escaped: no control or bidi characters.

    `origin` says where the page or program is from. `verified` says that the app carries its
    publisher's signature; without it the publisher's name is only what the app says of itself.
    """

    app: AppId
    name: Text
    publisher: Text
    origin: Text = ""
    verified: bool = False


Remember = Literal["once", "session", "month", "always"]


class RememberChoice(Descriptor, frozen=True, kw_only=True):
    """For how long an answer holds: this once, while the app runs, 30 days, or until taken back."""

    id: Remember
    label: Text


class PermissionDialog(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="permission"):
    """A consent dialog. `statement` says what is asked in plain words, `detail` what it means.

    `reason` is the app's own words and must be shown as such. `number` is for the person to compare
    with the one that whoever asks shows elsewhere. Deny has the focus; Allow stays
    disabled for `allow_delay` milliseconds after the dialog came into view, and after each change
    of it. `choices` are for the person to pick from; `chosen` is picked at first.
    """

    dialog: DialogId
    nonce: str
    identity: AppIdentity
    permission: str
    scope: Exact
    scope_words: Exact
    statement: Text
    detail: Text
    risk: Literal["low", "medium", "high"]
    choices: Annotated[list[RememberChoice], Meta(min_length=1, max_length=4)]
    chosen: Remember
    reason: Text | UnsetType = UNSET
    number: Annotated[str, Meta(pattern=whole(r"[0-9]{3} [0-9]{3}"))] | UnsetType = UNSET
    allow_label: Text = "Allow"
    deny_label: Text = "Deny"
    remember_label: Text = "Remember my choice"
    allow_delay: Annotated[int, Meta(ge=0, le=10_000)] = ALLOW_DELAY_MS
    timeout: Annotated[int, Meta(ge=1000, le=600_000)]


MAX_ICON_BYTES = 48 * 1024
"""Of one icon, as a file."""

IconData = Annotated[
    str,
    Meta(
        pattern=whole(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/]+={0,2}"),
        max_length=MAX_ICON_BYTES * 4 // 3 + 64,
    ),
]
"""An icon that whoever draws it has not to load from anywhere."""


class Choice(Descriptor, frozen=True, kw_only=True):
    """One thing to choose. `label` and `detail` come escaped; `group` is the heading above it.

    `running` marks what is there already, apart from what would be opened anew.
    """

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    label: Text
    detail: Text = ""
    group: Text = ""
    running: bool = False
    colour: Annotated[str, Meta(pattern=whole(r"[a-zA-Z]{1,32}|#[0-9A-Fa-f]{6}"))] | UnsetType = (
        UNSET
    )
    icon: IconData | UnsetType = UNSET


class ChoiceDialog(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="choice"):
    """A person chooses one of several: the app that takes an intent, or a channel for an app.

    `statement` says what is chosen and for which app. `chosen` is marked at first. Closing it, or
    its time, chooses none. With `remember_label` the person can have the choice kept.
    """

    dialog: DialogId
    nonce: str
    app: AppId
    title: Text
    statement: Text
    choices: Annotated[list[Choice], Meta(min_length=1, max_length=1000)]
    chosen: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    cancel_label: Text = "Cancel"
    remember_label: Text | UnsetType = UNSET
    timeout: Annotated[int, Meta(ge=1000, le=600_000)]


class Notice(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="notice"):
    """Something that a person should know and need not answer, in a corner of the screen.

    `action` says what the person can do about it, `command` what to type in a terminal for it.
    `offer` is the method that a second button calls at once: for the `app`, or with the password
    that was typed where it `asks_password`. A person who has dismissed a `notice` does not see one
    of the same name again until the shell is restarted.
    """

    notice: NoticeId
    severity: Literal["info", "warning"]
    title: Text
    words: Text
    action: Text
    command: Annotated[str, Meta(max_length=5000)] | UnsetType = UNSET
    offer: Literal["vault.unlock", "apps.launch"] | UnsetType = UNSET
    app: AppId | UnsetType = UNSET
    asks_password: bool = False
    offer_label: Text = "Unlock"
    dismiss_label: Text = "Dismiss"


SandboxToken = Literal[
    "allow-scripts",
    "allow-forms",
    "allow-popups",
    "allow-modals",
    "allow-downloads",
    "allow-pointer-lock",
]
"""Tokens of an iframe's `sandbox`. `allow-same-origin` is none of them, so no frame can have it
beside `allow-scripts`, with which it could take its own sandbox away.
"""


class FrameDescriptor(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="frame"):
    """An iframe, as its host has to make it: with an origin that nobody shares.

    `allow` is the attribute of that name, a permissions policy; `origin` is where `url` is.
    Messages of a frame come from the origin `null`, so its host knows it by its window.
    """

    app: AppId
    title: Text
    url: Annotated[str, Meta(pattern=whole(r"https?://[^\x00-\x20\x7f]*"), max_length=2048)]
    origin: Annotated[str, Meta(pattern=whole(r"https?://[^\x00-\x20\x7f/]+"), max_length=256)]
    sandbox: Annotated[list[SandboxToken], Meta(max_length=8)]
    allow: Annotated[str, Meta(max_length=1000)]


class OpenWindowParams(Params, frozen=True, kw_only=True):
    descriptor: WindowDescriptor


class CloseWindowParams(Params, frozen=True, kw_only=True):
    window: WindowId


class ShowDialogParams(Params, frozen=True, kw_only=True):
    """`descriptor_hash` is the SHA-256, in hex, of the descriptor's bytes as sent."""

    descriptor: PermissionDialog
    descriptor_hash: str


class DialogAnswer(Result, frozen=True, kw_only=True):
    """A person's answer. It counts only with the dialog's own nonce and descriptor hash.

    `dismissed` is a person who closed it, `timeout` one who did nothing, `failed` a dialog that
    could not be shown or broke down. `remember` is one of the dialog's choices.
    """

    dialog: str
    nonce: str
    descriptor_hash: str
    choice: Literal["allow", "deny", "dismissed", "timeout", "failed"]
    remember: Remember = "once"


class ShowChoiceParams(Params, frozen=True, kw_only=True):
    descriptor: ChoiceDialog


class ChoiceAnswer(Result, frozen=True, kw_only=True):
    """Without a choice the person wants none of them, or did nothing in time (`timed_out`).

    `remember` says that the person wants the choice kept.
    """

    dialog: str
    nonce: str
    choice: str | UnsetType = UNSET
    timed_out: bool = False
    remember: bool = False


class CloseDialogParams(Params, frozen=True, kw_only=True):
    dialog: DialogId


class DialogShownParams(Params, frozen=True, kw_only=True):
    """The dialog is in view, or changed in view; the time before Allow counts starts anew."""

    dialog: DialogId


class ShowNoticeParams(Params, frozen=True, kw_only=True):
    descriptor: Notice


class CloseNoticeParams(Params, frozen=True, kw_only=True):
    notice: NoticeId


class WindowClosedParams(Params, frozen=True, kw_only=True):
    window: WindowId


class WindowMovedParams(Params, frozen=True, kw_only=True):
    """The bounds that a window has when it is neither maximised nor minimised."""

    window: WindowId
    bounds: Bounds


class PlaceWindowParams(Params, frozen=True, kw_only=True):
    window: WindowId
    bounds: Bounds


METHODS = (
    Method(
        name="ui.openWindow",
        summary="Opens a window; answers when its page has loaded.",
        params=OpenWindowParams,
        result=Empty,
        handled_by="shell",
    ),
    Method(
        name="ui.closeWindow",
        summary="Closes a window.",
        params=CloseWindowParams,
        result=Empty,
        handled_by="shell",
    ),
    Method(
        name="ui.showDialog",
        summary="Shows a consent dialog; answers with what the person chose.",
        params=ShowDialogParams,
        result=DialogAnswer,
        handled_by="shell",
    ),
    Method(
        name="ui.showChoice",
        summary="Has a person choose one of several things; answers with which.",
        params=ShowChoiceParams,
        result=ChoiceAnswer,
        handled_by="shell",
    ),
    Method(
        name="ui.closeDialog",
        summary="Takes a dialog away that is no longer wanted; it counts as dismissed.",
        params=CloseDialogParams,
        handled_by="shell",
    ),
    Method(
        name="ui.dialogShown",
        summary="Tells the backend that a dialog is in view.",
        params=DialogShownParams,
        callers="shell",
    ),
    Method(
        name="ui.showNotice",
        summary="Shows a notice, in place of one of the same name; nobody waits for an answer.",
        params=ShowNoticeParams,
        handled_by="shell",
    ),
    Method(
        name="ui.closeNotice",
        summary="Takes a notice away that is not true any more.",
        params=CloseNoticeParams,
        handled_by="shell",
    ),
    Method(
        name="ui.windowClosed",
        summary="Tells the backend that a person closed an app's window.",
        params=WindowClosedParams,
        callers="shell",
    ),
    Method(
        name="ui.placeWindow",
        summary="Moves a window; to where it can be seen, if its display is gone.",
        params=PlaceWindowParams,
        result=Empty,
        handled_by="shell",
    ),
    Method(
        name="ui.windowMoved",
        summary="Tells the backend where a window is, when it has been opened, moved or resized.",
        params=WindowMovedParams,
        callers="shell",
    ),
    Method(
        name="ui.quitting",
        summary="Tells the backend that a person ends the shell, before its windows are closed.",
        params=NoParams,
        callers="shell",
    ),
)
