"""`desktop.*`: the desktop page, which gives pages in a browser the FDC3 agent.

The gateway serves it. It opens apps in windows and frames, answers the Web Connection Protocol
(WCP) of FDC3 2.2 to them, and carries each one's messages over a session of that app's own. The
backend decides which app a page is; the desktop page says only what the browser told it.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.fdc3 import Version
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.session import AppId, ClientName
from deskbus_protocol.ui import ChoiceAnswer, ChoiceDialog, IconData, Text

DESKTOP_APP = "deskbus.desktop"
"""The app id of desktop pages. It has a site, which browsers are let in to, and no permission."""

PageUrl = Annotated[str, Meta(min_length=1, max_length=8192)]
InstanceId = Annotated[str, Meta(min_length=1, max_length=128)]
LaunchId = Annotated[str, Meta(min_length=1, max_length=64)]


class DesktopEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An app that can be opened in a browser, by FDC3's id."""

    app_id: str
    title: str
    url: str
    description: str = ""
    icon: IconData | UnsetType = UNSET


class DesktopChannel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A user channel, as it is shown."""

    id: str
    name: str
    color: str


class BeginDesktopResult(Result, frozen=True, kw_only=True):
    apps: list[DesktopEntry]
    channels: list[DesktopChannel]
    version: Version


class AdmitParams(Params, frozen=True, kw_only=True):
    """The claim of a page (WCP4), and the origin that the browser names for it.

    `origin` is that of the page's `MessageEvent`. `launch` is there where the window was opened for
    the backend. The instance's id and secret are there where the window had them before.
    """

    origin: Annotated[str, Meta(max_length=1024)]
    identity_url: PageUrl
    actual_url: PageUrl
    launch: LaunchId | UnsetType = UNSET
    instance_id: InstanceId | UnsetType = UNSET
    instance_uuid: InstanceId | UnsetType = UNSET


class AdmitResult(Result, frozen=True, kw_only=True):
    """The identity of the page. `instance_uuid` is a secret of its own."""

    app_id: str
    app: AppId
    client: ClientName
    instance_id: str
    instance_uuid: str


class HostedParams(Params, frozen=True, kw_only=True):
    """One of the instances that this desktop page hosts."""

    instance_id: InstanceId


class HostedTicketResult(Result, frozen=True, kw_only=True):
    ticket: str


class OpenedParams(Params, frozen=True, kw_only=True):
    """`opened` is false where the browser did not let a window or frame be opened."""

    launch: LaunchId
    opened: bool


class ClosedParams(Params, frozen=True, kw_only=True):
    """The window is gone: of an instance, or of a launch that no page has answered for yet."""

    instance_id: InstanceId | UnsetType = UNSET
    launch: LaunchId | UnsetType = UNSET


class OpenAppWindowParams(Params, frozen=True, kw_only=True):
    """`view` is how the app is to be shown, where the browser allows it."""

    launch: LaunchId
    app_id: str
    title: str
    url: str
    view: Literal["window", "frame"] = "window"


class ShowDesktopChoiceParams(Params, frozen=True, kw_only=True):
    descriptor: ChoiceDialog


class CloseDesktopChoiceParams(Params, frozen=True, kw_only=True):
    dialog: str


class AnswerChoiceParams(Params, frozen=True, kw_only=True):
    answer: ChoiceAnswer


class AppRefusedParams(Params, frozen=True, kw_only=True):
    """An app of the desktop page was refused what it asked for, as nobody could be asked.

    `words` tell a person what, and what can be done.
    """

    instance_id: InstanceId
    words: Text


METHODS = (
    Method(
        name="desktop.begin",
        summary="Begins a desktop page: tells the apps that it can open, and the user channels.",
        params=NoParams,
        result=BeginDesktopResult,
    ),
    Method(
        name="desktop.admit",
        summary="Decides which app a page in a window of the desktop page is (FDC3 2.2, WCP4).",
        params=AdmitParams,
        result=AdmitResult,
    ),
    Method(
        name="desktop.ticket",
        summary="Makes a ticket for the session of an instance that the desktop page hosts.",
        params=HostedParams,
        result=HostedTicketResult,
    ),
    Method(
        name="desktop.opened",
        summary="Tells whether the window of a launch was opened.",
        params=OpenedParams,
        result=Empty,
    ),
    Method(
        name="desktop.closed",
        summary="Tells that the window of an instance, or of a launch, is gone.",
        params=ClosedParams,
        result=Empty,
    ),
    Method(
        name="desktop.chooseChannel",
        summary="Has a person choose the user channel of a hosted instance.",
        params=HostedParams,
        result=Empty,
    ),
    Method(
        name="desktop.answerChoice",
        summary="Tells what a person chose in a dialog of the desktop page.",
        params=AnswerChoiceParams,
        result=Empty,
    ),
    Method(
        name="desktop.openWindow",
        summary="Has the desktop page open an app; desktop.opened answers.",
        params=OpenAppWindowParams,
        handled_by="app",
    ),
    Method(
        name="desktop.closeWindow",
        summary="Has the desktop page close the window of an instance.",
        params=HostedParams,
        handled_by="app",
    ),
    Method(
        name="desktop.showChoice",
        summary="Has the desktop page show a choice; desktop.answerChoice answers.",
        params=ShowDesktopChoiceParams,
        handled_by="app",
    ),
    Method(
        name="desktop.closeChoice",
        summary="Has the desktop page take a choice away.",
        params=CloseDesktopChoiceParams,
        handled_by="app",
    ),
    Method(
        name="desktop.refused",
        summary="Tells the desktop page what an app was refused, as there is no shell to ask in.",
        params=AppRefusedParams,
        handled_by="app",
    ),
)
