"""A record of an app directory (AppD v2), as far as the agent and the launcher read it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

AppIdText = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(max_length=4000)]
Url = Annotated[str, Meta(max_length=2048)]
Kind = Literal["web", "native", "citrix", "onlineNative", "webApp", "other"]


class Icon(msgspec.Struct, frozen=True, omit_defaults=True):
    src: Url
    size: str | UnsetType = UNSET
    type: str | UnsetType = UNSET


class Screenshot(msgspec.Struct, frozen=True, omit_defaults=True):
    src: Url
    label: str | UnsetType = UNSET
    size: str | UnsetType = UNSET
    type: str | UnsetType = UNSET


class HandledIntent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An intent that the app takes, with these types of context."""

    contexts: list[str] = []
    display_name: str | UnsetType = UNSET
    result_type: str | UnsetType = UNSET


class Intents(msgspec.Struct, frozen=True, rename="camel"):
    listens_for: dict[str, HandledIntent] = {}
    raises: dict[str, list[str]] = {}


class UserChannels(msgspec.Struct, frozen=True, rename="camel"):
    broadcasts: list[str] = []
    listens_for: list[str] = []


class AppChannel(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    broadcasts: list[str] = []
    listens_for: list[str] = []


class Interop(msgspec.Struct, frozen=True, rename="camel"):
    intents: Intents = Intents()
    user_channels: UserChannels = UserChannels()
    app_channels: list[AppChannel] = []


class Details(msgspec.Struct, frozen=True):
    """`url` is that of a web app's page, `path` that of a native program."""

    url: Url | UnsetType = UNSET
    path: Words | UnsetType = UNSET


class AppRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`hostManifests.deskbus.app` in it names the app of the configuration that it is about."""

    app_id: AppIdText
    name: Name = ""
    type: Kind = "other"
    details: Details = Details()
    title: Words | UnsetType = UNSET
    version: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    tooltip: Words | UnsetType = UNSET
    description: Words | UnsetType = UNSET
    publisher: Words | UnsetType = UNSET
    categories: list[str] | UnsetType = UNSET
    icons: list[Icon] = []
    screenshots: list[Screenshot] = []
    interop: Interop = Interop()
    host_manifests: dict[str, Any] = {}

    def speaks(self, version: str) -> bool:
        """Whether the app is for this version of FDC3.

        AppD has no member for that: `hostManifests.deskbus.fdc3Versions` lists them, and an app
        without the list is for all.
        """
        ours = self.host_manifests.get("deskbus")
        versions = ours.get("fdc3Versions") if isinstance(ours, dict) else None
        return not isinstance(versions, list) or version in versions

    def metadata(self, instance_id: str | None = None) -> dict[str, Any]:
        """FDC3 2.2, AppMetadata: what every app may know."""
        public = {
            "appId": self.app_id,
            "name": self.name or self.app_id,
            "version": self.version,
            "title": self.title,
            "tooltip": self.tooltip,
            "description": self.description,
            "icons": self.icons,
            "screenshots": self.screenshots,
            "instanceId": UNSET if instance_id is None else instance_id,
        }
        return {name: value for name, value in public.items() if value is not UNSET}
