"""ShellPages: the policies of pages that a shell loads from the disk."""

from pathlib import Path

from msgspec import UnsetType

from deskbus.web.pages.security_headers import file_headers
from deskbus_protocol.manifest import Manifest, WebSpec


class ShellPages:
    """Known of each app with or without a gateway."""

    def __init__(self) -> None:
        self._specs: dict[str, WebSpec] = {}

    def declare(self, manifest: Manifest, _: Path) -> None:
        if not isinstance(manifest.web, UnsetType):
            self._specs[manifest.id] = manifest.web

    def withdraw(self, app: str) -> None:
        self._specs.pop(app, None)

    def headers_for(self, app: str) -> dict[str, str]:
        """The headers of an app's pages; of one that says nothing about them, the strictest."""
        return file_headers(self._specs.get(app, WebSpec()))
