"""`session.*`: who is at the other end of a link."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole
from deskbus_protocol.traces import TracingTerms
from deskbus_protocol.wire.encoding import Encoding

AppId = Annotated[
    str,
    Meta(
        pattern=whole(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*"),
        max_length=128,
        examples=["com.example.ticker"],
        description="Lower-case ASCII in dotted levels, as in a reverse domain name.",
    ),
]
RESERVED_APPS = "deskbus."
"""How ids of the shell and of tools begin: no app is given one. No id makes anybody trusted."""

ClientName = Annotated[
    str,
    Meta(
        pattern=whole(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
        max_length=128,
        examples=["window"],
        description="One connection of an app, for instance a window.",
    ),
]
MAX_LAST_SEQS = 10_000
"""Topics whose last message a client tells of when it resumes or continues."""

LastSeqs = Annotated[dict[str, int], Meta(max_length=MAX_LAST_SEQS)]
Ticket = Annotated[str, Meta(min_length=16, max_length=128)]
Encodings = Annotated[list[Annotated[str, Meta(max_length=16)]], Meta(max_length=8)]
"""Content codings that a client understands: `br`, `gzip`; others are passed over."""


class HelloParams(Params, frozen=True, kw_only=True):
    """The shell's first call on the shell link.

    `exec_path` is Electron's own binary, with which apps of kind `node` are run. `electron` is its
    major version: what only later ones enforce is not offered. `locale` is that of the person at
    the shell, as in BCP 47: texts for people are in its language, where there is a catalogue of it.
    """

    protocol_version: str
    shell: str
    exec_path: Annotated[str, Meta(max_length=4096)] | UnsetType = UNSET
    electron: Annotated[int, Meta(ge=0)] = 0
    locale: Annotated[str, Meta(max_length=64, examples=["de-AT"])] = "en"


class HelloResult(Result, frozen=True, kw_only=True):
    protocol_version: str
    version: str
    epoch: str
    pipe: str
    pid: int


class MintTicketParams(Params, frozen=True, kw_only=True):
    app: AppId
    client: ClientName


class MintTicketResult(Result, frozen=True, kw_only=True):
    """`expires_in` is milliseconds from now."""

    ticket: str
    expires_in: int


class OpenParams(Params, frozen=True, kw_only=True):
    """With `resume`, subscriptions and queue of the same client are taken up where they were.

    `last_seqs` tells the last message that it has of each topic. A client that `samples` decides
    by itself what of its own is traced, by the terms that it gets. One that names `encodings` gets
    long frames in one of them, where the backend allows it, from the answer on.
    """

    ticket: Ticket
    app: AppId
    protocol_version: str
    resume: bool = False
    last_seqs: LastSeqs | UnsetType = UNSET
    samples: bool = False
    encodings: Encodings = msgspec.field(default_factory=list)


class ResumeParams(Params, frozen=True, kw_only=True):
    """Comes back on a new connection, as the client that got `resume_token`.

    `last_seqs` tells the last message that it has of each topic.
    """

    resume_token: Ticket
    protocol_version: str
    last_seqs: LastSeqs = msgspec.field(default_factory=dict)
    samples: bool = False
    encodings: Encodings = msgspec.field(default_factory=list)


class OpenResult(Result, frozen=True, kw_only=True):
    """`resumed` says that there was something to take up.

    `tracing` is there where messages are traced, and the client samples. `resume_token` works
    once, with `session.resume`, for 30 s after this connection has ended. `encoding` is the content
    coding of long frames on this link, both ways; without it none is encoded.
    """

    app: str
    client: str
    epoch: str
    protocol_version: str
    version: str
    resumed: bool
    resume_token: str
    tracing: TracingTerms | UnsetType = UNSET
    encoding: Encoding | UnsetType = UNSET


METHODS = (
    Method(
        name="session.hello",
        summary="Opens the shell's session and checks the protocol version.",
        params=HelloParams,
        result=HelloResult,
        callers="shell",
    ),
    Method(
        name="session.mintTicket",
        summary="Makes a one-time ticket with which one client of an app may connect.",
        params=MintTicketParams,
        result=MintTicketResult,
        callers="shell",
    ),
    Method(
        name="session.open",
        summary="Opens an app's session with a ticket; the connection's identity from then on.",
        params=OpenParams,
        result=OpenResult,
        callers="anyone",
    ),
    Method(
        name="session.resume",
        summary="Takes a session up again; what was missed comes before what is new.",
        params=ResumeParams,
        result=OpenResult,
        callers="anyone",
    ),
    Method(
        name="session.ping",
        summary="Answers at once; tells that the other side is alive.",
        params=NoParams,
        result=Empty,
    ),
    Method(
        name="session.leave",
        summary="Ends the session for good: nothing is kept for the client, and it can't resume.",
        params=NoParams,
        result=Empty,
    ),
    Method(
        name="session.shutdown",
        summary="Ends the backend: everything is flushed and every child ended.",
        params=NoParams,
        result=Empty,
        callers="shell",
    ),
)


def is_reserved(app: str) -> bool:
    """Whether no app may have this id."""
    return f"{app}.".startswith(RESERVED_APPS)
