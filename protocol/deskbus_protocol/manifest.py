"""An app's manifest: what it consists of, and all that it may ever ask for.

Its keys are in snake case, as those of the W3C Web Application Manifest, in a JSON file as well as
in the configuration's `[[apps]]`. Relative paths are taken from the folder that the manifest is in.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.permissions import Grant
from deskbus_protocol.session import AppId, ClientName

ProgramKind = Literal["executable", "python", "node"]
"""`executable` runs `entry` itself, `python` the backend's interpreter, `node` a Node."""

DisplayName = Annotated[str, Meta(min_length=1, max_length=64)]
Pixels = Annotated[int, Meta(ge=1, le=32_767)]
Position = Annotated[int, Meta(ge=-32_768, le=32_767)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table in a manifest; a name that is not known is an error, not ignored."""


class WindowSpec(Part, frozen=True, kw_only=True):
    """`url` is a file of the app, or an http(s) address; sizes in pixels.

    `name` tells the windows of one app apart; it is the client's name on the bus too.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    name: ClientName = "window"
    title: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    width: Pixels = 960
    height: Pixels = 720
    x: Position | UnsetType = UNSET
    y: Position | UnsetType = UNSET


class ProgramSpec(Part, frozen=True, kw_only=True):
    """The app's own process. `env` adds to the minimal environment that it gets.

    A value `secret:NAME` there stands for what `deskbus vault set NAME` has put into the vault.
    """

    kind: ProgramKind = "executable"
    entry: Annotated[str, Meta(min_length=1, max_length=4096)]
    args: Annotated[list[str], Meta(max_length=256)] = []
    cwd: str = "."
    env: dict[str, str] = {}


class Manifest(Part, frozen=True, kw_only=True):
    """`declares` is what the app may ask a person for; anything else is refused unasked."""

    id: AppId
    name: DisplayName
    version: Annotated[str, Meta(max_length=64)] = ""
    publisher: Annotated[str, Meta(min_length=1, max_length=128)] = "unknown publisher"
    declares: Annotated[list[Grant], Meta(max_length=256)] = []
    windows: Annotated[list[WindowSpec], Meta(max_length=16)] = []
    process: ProgramSpec | UnsetType = UNSET
