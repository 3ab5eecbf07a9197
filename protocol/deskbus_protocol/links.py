"""`links.*`: the backend's connections, what each carries, and how many there may be."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Empty, Method, Params, Result
from deskbus_protocol.session import AppId

MAX_LISTED = 1000

LinkCount = Annotated[int, Meta(ge=1, le=65_536)]


class LinkState(Result, frozen=True, kw_only=True):
    """One link. Without `app` it has no session yet.

    `age` is in milliseconds. `sent_frames` by `writes` is how many frames a write carries: what
    one turn of the backend's loop gathers goes out together. `waiting_frames` and `waiting_bytes`
    are for a peer that reads too slowly.
    """

    number: int
    transport: str
    app: str | UnsetType = UNSET
    client: str | UnsetType = UNSET
    pid: int | UnsetType = UNSET
    shell: bool = False
    age: int
    received_bytes: int
    sent_bytes: int
    sent_frames: int
    writes: int
    waiting_frames: int
    waiting_bytes: int
    slow: bool


class LinkLimits(Result, frozen=True, kw_only=True):
    """The most links at a time, the shell link not counted, and the most of one app."""

    max_links: int
    max_links_of_app: int


class ListLinksParams(Params, frozen=True, kw_only=True):
    """With an `app`, its links alone."""

    app: AppId | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED


class ListLinksResult(Result, frozen=True, kw_only=True):
    """The links with the most waiting bytes first, then the oldest. `total` counts those beyond
    `limit` as well.
    """

    links: list[LinkState]
    total: int
    limits: LinkLimits


class CloseLinkParams(Params, frozen=True, kw_only=True):
    number: Annotated[int, Meta(ge=1)]


class SetLinkLimitsParams(Params, frozen=True, kw_only=True):
    """A limit that is left out stays as it is."""

    max_links: LinkCount | UnsetType = UNSET
    max_links_of_app: LinkCount | UnsetType = UNSET


METHODS = (
    Method(
        name="links.list",
        summary="The links of the backend, what each carries, and the limits of their number.",
        params=ListLinksParams,
        result=ListLinksResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="links.close",
        summary="Closes a link. Its client may come back; its app's permissions stay.",
        params=CloseLinkParams,
        result=Empty,
        callers="shell",
        permission="control.act",
        recorded="itself",
    ),
    Method(
        name="links.setLimits",
        summary="Changes the limits of the number of links, as long as the backend runs.",
        params=SetLinkLimitsParams,
        result=LinkLimits,
        callers="shell",
        permission="control.act",
        recorded="itself",
    ),
)
