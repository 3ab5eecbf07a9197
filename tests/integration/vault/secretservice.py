"""A real Secret Service for tests: a D-Bus daemon and gnome-keyring in a home of their own."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection

PASSWORD = "a login password"
LIMIT_S = 20


class SecretService:
    """The two daemons; the keyring's can be stopped and started again, locked or not."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for folder in ("run", "data", "config"):
            (home / folder).mkdir(mode=0o700, parents=True)
        self.env = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "XDG_RUNTIME_DIR": str(home / "run"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
        }
        self._bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address"],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._bus.stdout is not None
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self._bus.stdout.readline().strip()
        self._keyring: subprocess.Popen[bytes] | None = None

    def start(self, *, unlocked: bool = True) -> None:
        """Returns when the service answers on the bus."""
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets"]
        self._keyring = subprocess.Popen(
            [*command, "--unlock"] if unlocked else command,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert self._keyring.stdin is not None
        # printf, not echo: a line end would be part of the password.
        self._keyring.stdin.write(PASSWORD.encode() if unlocked else b"")
        self._keyring.stdin.close()
        deadline = time.monotonic() + LIMIT_S
        while "org.freedesktop.secrets" not in self._names():
            assert time.monotonic() < deadline, "gnome-keyring did not come up"
            assert self._keyring.poll() is None, "gnome-keyring ended"

    def unlock(self, password: str = PASSWORD) -> None:
        """The work of the keychain's own dialog once a person has typed a password."""
        guts = DBusAddress(
            "/org/freedesktop/secrets",
            bus_name="org.freedesktop.secrets",
            interface="org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface",
        )
        service = guts.with_interface("org.freedesktop.Secret.Service")
        with open_dbus_connection(self.env["DBUS_SESSION_BUS_ADDRESS"]) as bus:
            opening = new_method_call(service, "OpenSession", "sv", ("plain", ("s", "")))
            _, session = bus.send_and_get_reply(opening, timeout=LIMIT_S).body
            secret = (session, b"", password.encode(), "text/plain")
            collection = "/org/freedesktop/secrets/collection/login"
            bus.send_and_get_reply(
                new_method_call(
                    guts, "UnlockWithMasterPassword", "o(oayays)", (collection, secret)
                ),
                timeout=LIMIT_S,
            )

    def stop(self) -> None:
        if self._keyring is not None:
            self._keyring.terminate()
            self._keyring.wait(LIMIT_S)
            self._keyring = None
        deadline = time.monotonic() + LIMIT_S
        while "org.freedesktop.secrets" in self._names():
            assert time.monotonic() < deadline, "gnome-keyring did not leave"

    def close(self) -> None:
        if self._keyring is not None:
            self._keyring.kill()
            self._keyring.wait(LIMIT_S)
        self._bus.terminate()
        self._bus.wait(LIMIT_S)
        assert self._bus.stdout is not None
        self._bus.stdout.close()

    def _names(self) -> str:
        """The names on the bus."""
        return subprocess.run(
            [
                "dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus",
                "/org/freedesktop/DBus", "org.freedesktop.DBus.ListNames",
            ],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        ).stdout  # fmt: skip


@contextmanager
def secret_service(home: Path) -> Iterator[SecretService]:
    service = SecretService(home)
    try:
        yield service
    finally:
        service.close()
