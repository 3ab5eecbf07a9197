"""The permission catalogue: every permission that is built in. A configuration can add to it."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from deskbus_protocol.permissions import Enforcer, PermissionEntry, Risk

_SHOWN = "Only while it runs, and until you take this back."


def _device(
    name: str, title: str, wants: str, detail: str, risk: Risk, *points: str, since: int = 0
) -> PermissionEntry:
    """One of Electron's own permissions; `points` are Electron's names for it."""
    return PermissionEntry(
        name=name,
        title=title,
        statement=f"{{app}} wants to {wants}.",
        detail=detail,
        risk=risk,
        scope="fixed",
        enforced_by="shell",
        points=points,
        since=since,
    )


def _not_offered(
    name: str, title: str, wants: str, detail: str, *points: str, risk: Risk = "low"
) -> PermissionEntry:
    return PermissionEntry(
        name=name,
        title=title,
        statement=f"{{app}} wants to {wants}.",
        detail=detail,
        risk=risk,
        scope="fixed",
        enforced_by="nobody",
        points=points,
    )


BUILT_IN = (
    PermissionEntry(
        name="messaging.read",
        title="Read messages",
        statement="{app} wants to read messages.",
        detail="It will see what other apps publish there, from now on, until you take this back.",
        risk="medium",
        scope="topics",
        enforced_by="broker",
        points=("bus.subscribe", "bus.history", "bus.query", "bus.replay"),
    ),
    PermissionEntry(
        name="messaging.write",
        title="Send messages",
        statement="{app} wants to send messages.",
        detail="Other apps that listen there will receive what it sends, and may act on it.",
        risk="medium",
        scope="topics",
        enforced_by="broker",
        points=("bus.publish", "bus.request"),
    ),
    PermissionEntry(
        name="history",
        title="Read older messages",
        statement="{app} wants to read messages from before.",
        detail="It will see what was published there earlier, also while it was not running.",
        risk="medium",
        scope="topics",
        enforced_by="broker",
        points=("bus.history", "bus.query", "bus.replay"),
    ),
    PermissionEntry(
        name="app.send",
        title="Send to another app",
        statement="{app} wants to send messages to another app.",
        detail="The other app will receive what it sends, and may act on it.",
        risk="medium",
        scope="app",
        enforced_by="method",
        points=("bus.send", "bus.request"),
    ),
    PermissionEntry(
        name="fdc3.context.read",
        title="See shared data",
        statement="{app} wants to see what you work on in other apps.",
        detail="It sees what other apps share on the channel, as long as it runs or until you take "
        "this back.",
        risk="medium",
        scope="contexts",
        enforced_by="method",
        points=("fdc3.send",),
    ),
    PermissionEntry(
        name="fdc3.context.write",
        title="Share data",
        statement="{app} wants to share data with other apps.",
        detail="Apps on the channel will receive it, and may act on it.",
        risk="medium",
        scope="contexts",
        enforced_by="method",
        points=("fdc3.send", "bus.publish"),
    ),
    PermissionEntry(
        name="fdc3.raise",
        title="Ask other apps to act",
        statement="{app} wants to ask other apps to do something.",
        detail="An app that can do it gets the data, is started if need be, and may act on it.",
        risk="medium",
        scope="intents",
        enforced_by="method",
        points=("fdc3.send",),
    ),
    PermissionEntry(
        name="fdc3.handle",
        title="Act for other apps",
        statement="{app} wants to do something for other apps.",
        detail="It gets the data that other apps send along, and may be started for it.",
        risk="medium",
        scope="intents",
        enforced_by="method",
        points=("fdc3.send",),
    ),
    PermissionEntry(
        name="process.launch",
        title="Start another app",
        statement="{app} wants to start another app.",
        detail="It can start that app, with its own windows and permissions, when it likes.",
        risk="high",
        scope="app",
        enforced_by="method",
        points=("apps.launch", "fdc3.send"),
    ),
    PermissionEntry(
        name="secrets",
        title="Keep secrets",
        statement="{app} wants to keep secrets of its own, encrypted.",
        detail="It can store passwords and tokens here, and read its own again; no other app's.",
        risk="low",
        scope="fixed",
        word="own",
        enforced_by="method",
        points=("secrets.set", "secrets.get", "secrets.delete", "secrets.list"),
    ),
    PermissionEntry(
        name="audit",
        title="Read the audit log",
        statement="{app} wants to read the audit log.",
        detail="It will see what every app asked for and did, and can take copies of that.",
        risk="high",
        scope="fixed",
        enforced_by="method",
        points=("audit.query", "audit.export", "audit.stats", "audit.verify", "audit.tail"),
    ),
    PermissionEntry(
        name="control.view",
        title="Look into the control centre",
        statement="{app} wants to see everything that this desktop does.",
        detail="It sees every app, who talks to whom, messages, traces, and how all of it is.",
        risk="high",
        scope="fixed",
        enforced_by="method",
        points=("control.overview", "control.traffic", "control.topic", "bus.deadLetters"),
    ),
    PermissionEntry(
        name="control.act",
        title="Act in the control centre",
        statement="{app} wants to act as an operator of this desktop.",
        detail="It can stop and restart apps, change their limits, send messages, and lock the "
        "vault.",
        risk="high",
        scope="fixed",
        enforced_by="method",
        implies=("control.view",),
        points=("apps.restart", "apps.terminate", "bus.redrive", "bus.purge", "control.publish"),
    ),
    PermissionEntry(
        name="filesystem.read",
        title="Read files",
        statement="{app} wants to read files.",
        detail="It can open everything there, now and later, and send what it reads elsewhere.",
        risk="high",
        scope="path",
        enforced_by="method",
        points=("files.read", "files.list"),
    ),
    PermissionEntry(
        name="filesystem.write",
        title="Read and change files",
        statement="{app} wants to read and change files.",
        detail="It can open, replace and add files there. What it replaces is not kept.",
        risk="high",
        scope="path",
        enforced_by="method",
        implies=("filesystem.read",),
        points=("files.write",),
    ),
    PermissionEntry(
        name="network",
        title="Use the network",
        statement="{app} wants to connect to a site.",
        detail="It can send there whatever it knows, and load what is there.",
        risk="medium",
        scope="origin",
        enforced_by="shell",
        points=("webRequest", "will-navigate", "openExternal", "will-download"),
    ),
    _device(
        "notifications",
        "Show notifications",
        "show notifications",
        "They appear over other windows, also when you don't look at the app.",
        "low",
        "notifications",
    ),
    _device(
        "media.camera", "Use the camera", "use the camera", f"It sees what it sees. {_SHOWN}",
        "high", "media",
    ),
    _device(
        "media.microphone",
        "Use the microphone",
        "use the microphone",
        f"It hears what is said near this computer. {_SHOWN}",
        "high",
        "media",
    ),
    # Only builds of Electron by others have what decrypts it.
    _not_offered(
        "media.protected",
        "Play protected media",
        "play protected media",
        "It can tell this device from others by an identifier.",
        "mediaKeySystem",
    ),
    _device(
        "display.capture",
        "Record the screen",
        "record the screen",
        "It sees everything that is on it, in other programs too.",
        "high",
        "display-capture",
    ),
    _device(
        "geolocation",
        "Know where you are",
        "know where this computer is",
        f"It learns your position. {_SHOWN}",
        "high",
        "geolocation",
    ),
    _device(
        "fullscreen",
        "Fill the screen",
        "fill the screen",
        "It covers everything else, and could imitate it; Esc leaves.",
        "low",
        "fullscreen",
    ),
    _device(
        "pointer.lock",
        "Hold the pointer",
        "hide and hold the mouse pointer",
        "You can't point elsewhere until it lets go; Esc takes the pointer back.",
        "low",
        "pointerLock",
    ),
    _device(
        "keyboard.lock",
        "Hold the keyboard",
        "get every key that is pressed",
        "Shortcuts of other programs don't work while it is in front.",
        "medium",
        "keyboardLock",
        since=28,
    ),
    _device(
        "midi",
        "Use MIDI devices",
        "use MIDI devices",
        "It can play on them, and listen to them.",
        "low",
        "midi",
    ),
    _device(
        "midi.sysex",
        "Control MIDI devices",
        "control MIDI devices fully",
        "It can change their settings and their firmware.",
        "high",
        "midiSysex",
    ),
    _device(
        "idle.detection",
        "Know when you are away",
        "know whether you are at the computer",
        "It learns when you use it, and when the screen is locked.",
        "medium",
        "idle-detection",
        since=24,
    ),
    _device(
        "window.management",
        "Place windows",
        "know your screens and place windows on them",
        "It learns how many screens you have and how large they are.",
        "low",
        "window-management",
        since=23,
    ),
    _device(
        "external.open",
        "Open other programs",
        "open a link in another program",
        "The other program decides what it does with the link.",
        "high",
        "openExternal",
    ),
    _device("hid", "Use input devices", "use HID devices", "It talks to them directly.", "high",
            "hid", since=16),
    _device("serial", "Use serial ports", "use serial ports", "It talks to what is on them.",
            "high", "serial", since=16),
    _device("usb", "Use USB devices", "use USB devices", "It talks to them directly.", "high",
            "usb", since=22),
    # Electron 9 lets every page write, and names what reads no more than "unknown".
    _not_offered(
        "clipboard.read",
        "Read the clipboard",
        "read the clipboard",
        "It will see whatever you copied last, in any program: also passwords.",
        risk="high",
    ),
    _not_offered(
        "clipboard.write",
        "Write to the clipboard",
        "write to the clipboard",
        "It can replace what you copied; look before you paste.",
    ),
    _not_offered(
        "system.tray",
        "Sit in the tray",
        "show an icon in the system tray",
        "It stays in sight there as long as it runs.",
    ),
    _not_offered(
        "global.shortcut",
        "Use a global shortcut",
        "react to a shortcut in every program",
        "It is told when you press it, whatever is in front.",
    ),
)  # fmt: skip


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
