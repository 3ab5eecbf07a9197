"""Apps of an app directory: their manifests, and what the configuration lets them have."""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from deskbus.fdc3.directory.app_directory import own_id
from deskbus.fdc3.directory.app_record import AppRecord, Kind
from deskbus_protocol.fdc3 import context_scope, intent_scope
from deskbus_protocol.manifest import Manifest, ProgramSpec, WindowSpec
from deskbus_protocol.permissions import Grant
from deskbus_protocol.wording.display import visible

Consent = Literal["ask", "directory", "allow"]

EVERYTHING = tuple(
    Grant(permission, "#")
    for permission in ("fdc3.raise", "fdc3.handle", "fdc3.context.read", "fdc3.context.write")
)
REMEMBERED = Grant("fdc3.choose", "#")
"""A person's choices of the app for an intent, which may be remembered for every app."""

MAX_GRANTS = 1_000
"""Grants of one app by its record."""

NAME_LENGTH = 64
WIDTH, HEIGHT = 960, 720


class DirectoryApp(NamedTuple):
    """`can_run` says that the record has a page, or a program that may be started."""

    manifest: Manifest
    grants: list[Grant]
    can_run: bool


def records_of_configuration(apps: Iterable[Manifest]) -> list[AppRecord]:
    """Apps of the configuration, for a directory that does not have them."""
    return [
        AppRecord(
            app_id=app.id,
            name=app.name,
            type=_kind_of(app),
            title=app.name,
            version=app.version or UNSET,
            publisher=app.publisher,
        )
        for app in apps
    ]


def directory_app(
    record: AppRecord, consent: Consent, launchable: Iterable[str], *, local: bool
) -> DirectoryApp:
    """`launchable` are the apps that it may open, as far as `consent` says so.

    A program is started only where the record is `local`: from a file of this machine.
    """
    launches = [Grant("process.launch", app) for app in launchable]
    wanted = [*EVERYTHING, *launches]
    if consent == "allow":
        grants = wanted
    elif consent == "directory":
        grants = says(record)
    else:
        grants = []
    url, path = record.details.url, record.details.path
    window: list[WindowSpec] = []
    process: ProgramSpec | UnsetType = UNSET
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        window = [_window(record, url)]
    elif isinstance(path, str) and path and local:
        process = ProgramSpec(entry=path)
    manifest = Manifest(
        id=own_id(record),
        name=_name(record),
        version=record.version if isinstance(record.version, str) else "",
        publisher=_publisher(record),
        windows=window,
        process=process,
        declares=[REMEMBERED, *wanted][:MAX_GRANTS],
    )
    can_run = bool(window) or not isinstance(process, UnsetType)
    return DirectoryApp(manifest, grants[:MAX_GRANTS], can_run)


def says(record: AppRecord) -> list[Grant]:
    """The permissions for everything that an app does according to its record."""
    interop = record.interop
    grants = [
        Grant("fdc3.raise", intent_scope(intent, context_type))
        for intent, types in interop.intents.raises.items()
        for context_type in types
    ]
    grants += [
        Grant("fdc3.handle", intent_scope(intent, context_type))
        for intent, handled in interop.intents.listens_for.items()
        for context_type in handled.contexts
    ]
    user = interop.user_channels
    places: list[tuple[str | None, list[str], list[str]]] = [
        (None, user.broadcasts, user.listens_for),
        *((each.id, each.broadcasts, each.listens_for) for each in interop.app_channels),
    ]
    for channel, broadcasts, listens_for in places:
        grants += [Grant("fdc3.context.write", context_scope(channel, of)) for of in broadcasts]
        grants += [Grant("fdc3.context.read", context_scope(channel, of)) for of in listens_for]
    return grants


def _kind_of(app: Manifest) -> Kind:
    return "web" if app.windows else "native"


def _window(record: AppRecord, url: str) -> WindowSpec:
    """`hostManifests.deskbus.window` gives the size."""
    ours = record.host_manifests.get("deskbus")
    wanted: Any = ours.get("window", {}) if isinstance(ours, dict) else {}
    try:
        size = msgspec.convert(wanted, _Size)
    except msgspec.ValidationError:
        size = _Size()
    return WindowSpec(url=url, width=size.width, height=size.height)


class _Size(msgspec.Struct, frozen=True):
    width: int = WIDTH
    height: int = HEIGHT


def _name(record: AppRecord) -> str:
    title = record.title if isinstance(record.title, str) and record.title else record.name
    return visible(title or record.app_id)[:NAME_LENGTH]


def _publisher(record: AppRecord) -> str:
    given = record.publisher
    return visible(given)[:128] if isinstance(given, str) and given else "unknown publisher"
