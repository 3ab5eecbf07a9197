"""HostedInstances: the instances whose pages are in windows of a desktop page. Pure."""

import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from deskbus_protocol.envelope import ClientId

MAX_HOSTED = 512
"""Instances and launches of all desktop pages together."""


class Launch(NamedTuple):
    """A window that is opened for the backend. `settle` is told whether it could be."""

    desktop: ClientId
    identity: ClientId
    settle: Callable[[bool], None]


class Hosted(NamedTuple):
    desktop: ClientId
    identity: ClientId
    instance_id: str


class HostedInstances:
    """`secret` is known to nobody but the backend, and is another one in each of its runs."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._desktops: dict[ClientId, None] = {}
        self._launches: dict[str, Launch] = {}
        self._hosted: dict[str, Hosted] = {}
        self._by_client: dict[ClientId, Hosted] = {}

    def __len__(self) -> int:
        return len(self._hosted) + len(self._launches)

    @property
    def is_full(self) -> bool:
        return len(self) >= MAX_HOSTED

    def begin(self, desktop: ClientId) -> None:
        """The newest desktop page is the one that opens what nobody in a browser asked for."""
        self._desktops.pop(desktop, None)
        self._desktops[desktop] = None

    @property
    def newest_desktop(self) -> ClientId | None:
        return next(reversed(self._desktops), None)

    def desktop_of(self, identity: ClientId) -> ClientId | None:
        hosted = self._by_client.get(identity)
        return None if hosted is None else hosted.desktop

    def of(self, desktop: ClientId, instance_id: str) -> Hosted | None:
        """An instance of this desktop page's."""
        found = self._hosted.get(instance_id)
        return found if found is not None and found.desktop == desktop else None

    def host(self, hosted: Hosted) -> None:
        self._hosted[hosted.instance_id] = self._by_client[hosted.identity] = hosted

    def launching(self, launch: str, begun: Launch) -> None:
        self._launches[launch] = begun

    def launch_of(self, desktop: ClientId, launch: str) -> Launch | None:
        found = self._launches.get(launch)
        return found if found is not None and found.desktop == desktop else None

    def launched(self, launch: str) -> None:
        """Notes that the launch led to a page, or will lead to none."""
        self._launches.pop(launch, None)

    def secret_of(self, instance_id: str) -> str:
        """FDC3's instanceUuid, by which a page that reloads proves which instance it is."""
        digest = hmac.new(self._secret, instance_id.encode(), hashlib.sha256).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def is_secret(self, instance_id: str, given: str) -> bool:
        return hmac.compare_digest(self.secret_of(instance_id).encode(), given.encode())

    def client_ended(self, identity: ClientId) -> Iterator[ClientId]:
        """Forgets a client; of a desktop page all that it hosts, whose clients are given."""
        hosted = self._by_client.pop(identity, None)
        if hosted is not None:
            del self._hosted[hosted.instance_id]
        if identity not in self._desktops:
            return
        del self._desktops[identity]
        for name, launch in list(self._launches.items()):
            if launch.desktop == identity:
                del self._launches[name]
                launch.settle(False)
                yield launch.identity
        for each in list(self._hosted.values()):
            if each.desktop == identity:
                del self._hosted[each.instance_id]
                del self._by_client[each.identity]
                yield each.identity
