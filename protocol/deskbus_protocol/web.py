"""`web.*`: apps in an ordinary browser, and in frames."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.manifest import Origin
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole
from deskbus_protocol.session import AppId
from deskbus_protocol.ui import FrameDescriptor

NONCE_PLACEHOLDER = "{nonce}"
"""Stands in a policy for what is made anew for each response."""

FILES_ORIGIN = "file://"
"""Stands for files that a shell loads as they are."""

SHELL_REPORT_URL = "http://deskbus.invalid/csp-report"
"""The address of reports of pages from the disk (RFC 6761: nobody has it). The shell takes them on
their way.
"""

MAX_REPORT_CHARACTERS = 64 * 1024
"""The limit of a browser's report of what a page's policy refused."""

FrameCapability = Literal[
    "scripts",
    "forms",
    "popups",
    "modals",
    "downloads",
    "pointer-lock",
    "camera",
    "microphone",
    "geolocation",
    "display-capture",
    "clipboard-read",
    "clipboard-write",
    "fullscreen",
    "autoplay",
    "local-network",
]
"""A power that a frame may have; none of them gives it its host's origin."""


class SiteInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`url` is the app's first page; `browsers` is how many were let in for it."""

    app: str
    url: str
    browsers: int


class WebSitesResult(Result, frozen=True, kw_only=True):
    """`problem` says why nothing is served, and is empty where it is."""

    sites: list[SiteInfo]
    problem: str


class PairBrowserParams(Params, frozen=True, kw_only=True):
    app: AppId


class PairBrowserResult(Result, frozen=True, kw_only=True):
    """A browser that posts `code` to `url` in a form is let in, once; within `expires_in` ms."""

    url: str
    code: str
    expires_in: int


class PairToActParams(Params, frozen=True, kw_only=True):
    """`browser` is the name that the control centre shows there; without it, the only one."""

    browser: Annotated[str, Meta(pattern=whole(r"[0-9a-f]{8}"))] | UnsetType = UNSET


class PairToActResult(Result, frozen=True, kw_only=True):
    """A person enters `code` in the control centre of `browser`, once; within `expires_in` ms."""

    browser: str
    code: str
    expires_in: int


class PairOriginParams(Params, frozen=True, kw_only=True):
    """`origin` is one that the configuration or the app's manifest lists."""

    app: AppId
    origin: Origin


class PairOriginResult(Result, frozen=True, kw_only=True):
    """Pages of the origin show `pairing` as a bearer token; a person hands it to them."""

    pairing: str


class ForgetBrowsersParams(Params, frozen=True, kw_only=True):
    app: AppId


class ForgetBrowsersResult(Result, frozen=True, kw_only=True):
    """The number of browsers that were let in until now."""

    browsers: int


class PolicyForParams(Params, frozen=True, kw_only=True):
    """`origin` is where the shell serves the app's pages from, such as `app://com.example.x`, or
    `FILES_ORIGIN`.
    """

    app: AppId
    origin: Annotated[str, Meta(min_length=1, max_length=256)]


class PolicyForResult(Result, frozen=True, kw_only=True):
    """Headers for the app's pages. `{nonce}` in them stands for 128 random bits in base64, made
    anew for each response, which its own scripts carry; those of `file://` have none.
    """

    headers: dict[str, str]


class ReportViolationParams(Params, frozen=True, kw_only=True):
    """`report` is the body that the browser sent about a page of `app`: `application/csp-report`
    (CSP level 3, section 5.3).
    """

    app: AppId
    report: Annotated[str, Meta(max_length=MAX_REPORT_CHARACTERS)]


class DescribeFrameParams(Params, frozen=True, kw_only=True):
    """The frame of `app` in a page of the app that calls, with no more than `capabilities`."""

    app: AppId
    capabilities: Annotated[list[FrameCapability], Meta(max_length=32)]


METHODS = (
    Method(
        name="web.sites",
        summary="Lists the apps that the web gateway serves, with their addresses.",
        params=NoParams,
        result=WebSitesResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="web.pair",
        summary="Makes a one-time code that lets one browser in for an app.",
        params=PairBrowserParams,
        result=PairBrowserResult,
        callers="shell",
        recorded="before",
    ),
    Method(
        name="web.pairToAct",
        summary="Makes a one-time code with which a browser may act in the control centre.",
        params=PairToActParams,
        result=PairToActResult,
        callers="shell",
        recorded="before",
    ),
    Method(
        name="web.pairOrigin",
        summary="Makes a token with which pages of a listed origin from elsewhere come as an app.",
        params=PairOriginParams,
        result=PairOriginResult,
        callers="shell",
        recorded="before",
    ),
    Method(
        name="web.forgetBrowsers",
        summary="Lets no browser in any more that was let in for an app.",
        params=ForgetBrowsersParams,
        result=ForgetBrowsersResult,
        callers="shell",
        permission="control.act",
        recorded="regardless",
    ),
    Method(
        name="web.policyFor",
        summary="Tells the security headers for an app's pages that the shell serves itself.",
        params=PolicyForParams,
        result=PolicyForResult,
        callers="shell",
    ),
    Method(
        name="web.reportViolation",
        summary="Records what the policy refused a page that the shell serves itself.",
        params=ReportViolationParams,
        result=Empty,
        callers="shell",
    ),
    Method(
        name="web.describeFrame",
        summary="Describes the frame of another app in the caller's page.",
        params=DescribeFrameParams,
        result=FrameDescriptor,
    ),
)
