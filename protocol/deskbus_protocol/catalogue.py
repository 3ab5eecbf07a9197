"""The permission catalogue: every permission that is built in. A configuration can add to it."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from deskbus_protocol.permissions import Enforcer, PermissionEntry, Risk


def _device(name: str, risk: Risk, *points: str, since: int = 0) -> PermissionEntry:
    """One of Electron's own permissions; `points` are Electron's names for it."""
    return PermissionEntry(
        name=name, risk=risk, scope="fixed", enforced_by="shell", points=points, since=since
    )


def _not_offered(name: str, risk: Risk, *points: str) -> PermissionEntry:
    return PermissionEntry(name=name, risk=risk, scope="fixed", enforced_by="nobody", points=points)


BUILT_IN = (
    PermissionEntry(
        name="messaging.read",
        risk="medium",
        scope="topics",
        enforced_by="broker",
        points=("bus.subscribe", "bus.history", "bus.query", "bus.replay"),
    ),
    PermissionEntry(
        name="messaging.write",
        risk="medium",
        scope="topics",
        enforced_by="broker",
        points=("bus.publish", "bus.request"),
    ),
    PermissionEntry(
        name="history",
        risk="medium",
        scope="topics",
        enforced_by="broker",
        points=("bus.history", "bus.query", "bus.replay"),
    ),
    PermissionEntry(
        name="app.send",
        risk="medium",
        scope="app",
        enforced_by="method",
        points=("bus.send", "bus.request"),
    ),
    PermissionEntry(
        name="fdc3.context.read",
        risk="medium",
        scope="contexts",
        enforced_by="method",
        points=("fdc3.send",),
    ),
    PermissionEntry(
        name="fdc3.context.write",
        risk="medium",
        scope="contexts",
        enforced_by="method",
        points=("fdc3.send", "bus.publish"),
    ),
    PermissionEntry(
        name="fdc3.raise",
        risk="medium",
        scope="intents",
        enforced_by="method",
        points=("fdc3.send",),
    ),
    PermissionEntry(
        name="fdc3.handle",
        risk="medium",
        scope="intents",
        enforced_by="method",
        points=("fdc3.send",),
    ),
    PermissionEntry(
        name="fdc3.choose",
        risk="low",
        scope="choices",
        enforced_by="method",
        points=("fdc3.send",),
    ),
    PermissionEntry(
        name="process.launch",
        risk="high",
        scope="app",
        enforced_by="method",
        points=("apps.launch", "fdc3.send"),
    ),
    PermissionEntry(
        name="secrets",
        risk="low",
        scope="fixed",
        enforced_by="method",
        word="own",
        points=("secrets.set", "secrets.get", "secrets.delete", "secrets.list"),
    ),
    PermissionEntry(
        name="audit",
        risk="high",
        scope="fixed",
        enforced_by="method",
        points=("audit.query", "audit.export", "audit.stats", "audit.verify", "audit.tail"),
    ),
    PermissionEntry(
        name="control.view",
        risk="high",
        scope="fixed",
        enforced_by="method",
        points=("control.overview", "control.traffic", "control.topic", "bus.deadLetters"),
    ),
    PermissionEntry(
        name="control.act",
        risk="high",
        scope="fixed",
        enforced_by="method",
        implies=("control.view",),
        points=("apps.restart", "apps.terminate", "bus.redrive", "bus.purge", "control.publish"),
    ),
    PermissionEntry(
        name="filesystem.read",
        risk="high",
        scope="path",
        enforced_by="method",
        points=("files.read", "files.list"),
    ),
    PermissionEntry(
        name="filesystem.write",
        risk="high",
        scope="path",
        enforced_by="method",
        implies=("filesystem.read",),
        points=("files.write",),
    ),
    PermissionEntry(
        name="network",
        risk="medium",
        scope="origin",
        enforced_by="shell",
        points=("webRequest", "will-navigate", "openExternal", "will-download"),
    ),
    _device("notifications", "low", "notifications"),
    _device("media.camera", "high", "media"),
    _device("media.microphone", "high", "media"),
    # Only builds of Electron by others have what decrypts it.
    _not_offered("media.protected", "low", "mediaKeySystem"),
    _device("display.capture", "high", "display-capture"),
    _device("geolocation", "high", "geolocation"),
    _device("fullscreen", "low", "fullscreen"),
    _device("pointer.lock", "low", "pointerLock"),
    _device("keyboard.lock", "medium", "keyboardLock", since=28),
    _device("midi", "low", "midi"),
    _device("midi.sysex", "high", "midiSysex"),
    _device("idle.detection", "medium", "idle-detection", since=24),
    _device("window.management", "low", "window-management", since=23),
    _device("external.open", "high", "openExternal"),
    _device("hid", "high", "hid", since=16),
    _device("serial", "high", "serial", since=16),
    _device("usb", "high", "usb", since=22),
    # Electron 9 lets every page write, and names what reads no more than "unknown".
    _not_offered("clipboard.read", "high"),
    _not_offered("clipboard.write", "low"),
    _not_offered("system.tray", "low"),
    _not_offered("global.shortcut", "low"),
)
"""Their words are in the catalogue of each language."""


class Catalogue(Mapping[str, PermissionEntry]):
    """Permissions by name: those built in, and `more`, which replaces one of the same name.

    The words and the scope are replaced; where Electron asks stays as it is.
    """

    def __init__(self, more: Iterable[PermissionEntry] = ()) -> None:
        self._entries = {entry.name: entry for entry in BUILT_IN}
        for entry in more:
            known = self._entries.get(entry.name)
            points = entry.points or (known.points if known else ())
            self._entries[entry.name] = msgspec.structs.replace(entry, points=points)
        self._electron = 0

    def __getitem__(self, name: str) -> PermissionEntry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def shell_came(self, electron: int) -> None:
        """The shell runs this major version of Electron; 0 where it does not say."""
        self._electron = electron

    def enforced(self, name: str) -> PermissionEntry | None:
        """The entry; None where there is none, or no shell would enforce it."""
        entry = self._entries.get(name)
        unenforced: Enforcer = "nobody"
        return None if entry is None or entry.enforced_by == unenforced else entry

    def offered(self, name: str) -> PermissionEntry | None:
        """The entry; None where there is none, or nobody here would enforce it."""
        entry = self.enforced(name)
        return None if entry is None or entry.since > self._electron else entry
