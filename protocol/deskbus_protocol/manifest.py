"""An app's manifest: what it consists of, and all that it may ever ask for.

Its keys are in snake case, as those of the W3C Web Application Manifest, in a JSON file as well as
in the configuration's `[[apps]]`. Relative paths are taken from the folder that the manifest is in.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.pattern import whole
from deskbus_protocol.permissions import Grant
from deskbus_protocol.session import AppId, ClientName

ProgramKind = Literal["executable", "python", "node", "utility"]
"""`executable` runs `entry` itself, `python` the backend's interpreter, `node` Electron's own
binary as Node, or a Node on PATH where there is no shell, `utility` a utility process of Electron
(22 and later).
"""

Ready = Literal["started", "session", "told"]
"""When an app counts as ready: once its process runs, its session is open, or it says so itself."""

DisplayName = Annotated[str, Meta(min_length=1, max_length=64)]
Pixels = Annotated[int, Meta(ge=1, le=32_767)]
Position = Annotated[int, Meta(ge=-32_768, le=32_767)]

Colour = Annotated[str, Meta(pattern=whole(r"#[0-9A-Fa-f]{6}"), max_length=7, examples=["#0f1419"])]
"""As in CSS, six digits: `#0f1419`."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table in a manifest; a name that is not known is an error, not ignored."""


class WindowSpec(Part, frozen=True, kw_only=True):
    """`url` is a file of the app, or an http(s) address; sizes in pixels.

    `name` tells the windows of one app apart; it is the client's name on the bus too.
    `background_color` lies below the page, and is seen before its first paint: white unless told.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    name: ClientName = "window"
    title: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    width: Pixels = 960
    height: Pixels = 720
    x: Position | UnsetType = UNSET
    y: Position | UnsetType = UNSET
    background_color: Colour | UnsetType = UNSET


class HeartbeatSpec(Part, frozen=True, kw_only=True):
    """An app that beats is unresponsive once it was silent for `deadline_s`.

    Silent for `kill_after_s` more, it is ended as hung; without that, it is left alone.
    """

    deadline_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    kill_after_s: Annotated[float, Meta(ge=0, le=3600)] | UnsetType = UNSET


class ProgramSpec(Part, frozen=True, kw_only=True):
    """The app's own process. `env` adds to the minimal environment that it gets.

    A value `secret:NAME` there stands for what `deskbus vault set NAME` has put into the vault.
    One that is not ready within `ready_within_s` is ended. Asked to end, it has `stop_within_s`.
    """

    kind: ProgramKind = "executable"
    entry: Annotated[str, Meta(min_length=1, max_length=4096)]
    args: Annotated[list[str], Meta(max_length=256)] = []
    cwd: str = "."
    env: dict[str, str] = {}
    ready: Ready = "started"
    ready_within_s: Annotated[float, Meta(ge=0.1, le=600)] = 20.0
    stop_within_s: Annotated[float, Meta(ge=0.1, le=30)] = 0.7
    heartbeat: HeartbeatSpec = HeartbeatSpec()


class Limits(Part, frozen=True, kw_only=True):
    """Limits of an app's whole process tree, windows included; an omitted one does not limit.

    `cpu_percent` is of one core. Over a limit it is warned, and ended at the `strikes`-th sample in
    a row. Log output beyond `log_kb_per_s` is dropped; messages beyond `messages_per_s` or
    `bus_kb_per_s` are refused.
    """

    cpu_percent: Annotated[float, Meta(ge=1, le=100_000)] | UnsetType = UNSET
    memory_mb: Annotated[int, Meta(ge=8, le=1_048_576)] | UnsetType = UNSET
    processes: Annotated[int, Meta(ge=1, le=100_000)] | UnsetType = UNSET
    open_files: Annotated[int, Meta(ge=16, le=1_048_576)] | UnsetType = UNSET
    log_kb_per_s: Annotated[int, Meta(ge=1, le=1_048_576)] = 256
    messages_per_s: Annotated[int, Meta(ge=1, le=10_000_000)] | UnsetType = UNSET
    bus_kb_per_s: Annotated[int, Meta(ge=1, le=16_777_216)] | UnsetType = UNSET
    strikes: Annotated[int, Meta(ge=1, le=100)] = 3


class RestartSpec(Part, frozen=True, kw_only=True):
    """Whether an app comes back by itself, after a delay that doubles and is partly chance.

    The delay begins anew once the app has run for `stable_s`. At the `crashes`-th crash within
    `within_s` it stays away, and a person is asked.
    """

    when: Literal["on_crash", "always", "never"] = "on_crash"
    first_s: Annotated[float, Meta(ge=0.05, le=60)] = 0.5
    longest_s: Annotated[float, Meta(ge=0.05, le=3600)] = 30.0
    stable_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    crashes: Annotated[int, Meta(ge=1, le=100)] = 3
    within_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0


Origin = Annotated[
    str,
    Meta(
        pattern=whole(
            r"(https?|wss?)://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[1-9][0-9]*)?"
        ),
        max_length=256,
        examples=["https://desk.example.com"],
        description="Scheme, host and port, as a browser writes them.",
    ),
]
"""An origin as the HTML standard serializes it (section 7.1.1, Origin)."""

Isolation = Literal["isolated", "root", "opened"]
"""`isolated` shares no window with other origins; `root` keeps those that it opens, as FDC3's root
does; `opened` is such a page.
"""


class WebSpec(Part, frozen=True, kw_only=True):
    """The terms on which the web gateway serves the app's pages, and which scripts run in them in
    Electron.

    `origins` are from elsewhere: their pages may ask a person to come as this app. Its own pages
    may load scripts from `scripts`, reach `connect`, make the Trusted Types policies in
    `trusted_types`, and stand in frames of the apps in `framed_by`.
    """

    origins: Annotated[list[Origin], Meta(max_length=32)] = []
    scripts: Annotated[list[Origin], Meta(max_length=32)] = []
    connect: Annotated[list[Origin], Meta(max_length=32)] = []
    trusted_types: Annotated[
        list[
            Annotated[
                str,
                Meta(pattern=whole(r"[A-Za-z0-9#=_/@.%-]+"), max_length=64, examples=["dompurify"]),
            ]
        ],
        Meta(max_length=16),
    ] = []
    framed_by: Annotated[list[AppId], Meta(max_length=32)] = []
    isolation: Isolation = "isolated"


class Manifest(Part, frozen=True, kw_only=True):
    """`declares` is what the app may ask a person for; anything else is refused unasked.

    With `publisher_key` (an Ed25519 public key, base64) the app has to carry that key's `signature`
    over its content, and what it was allowed stays with it as it changes. Without, whatever changes
    it makes it ask again.
    """

    id: AppId
    name: DisplayName
    version: Annotated[str, Meta(max_length=64)] = ""
    publisher: Annotated[str, Meta(min_length=1, max_length=128)] = "unknown publisher"
    publisher_key: Annotated[str, Meta(min_length=44, max_length=44)] | UnsetType = UNSET
    signature: Annotated[str, Meta(min_length=88, max_length=88)] | UnsetType = UNSET
    declares: Annotated[list[Grant], Meta(max_length=256)] = []
    windows: Annotated[list[WindowSpec], Meta(max_length=16)] = []
    process: ProgramSpec | UnsetType = UNSET
    limits: Limits = Limits()
    restart: RestartSpec = RestartSpec()
    web: WebSpec | UnsetType = UNSET
