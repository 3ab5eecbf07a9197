"""The operating system's keychain: one entry for each installation, and honest answers about it.

Backends are constructed here, from a list; `PYTHON_KEYRING_BACKEND`, `KEYRING_PROPERTY_*` and
keyring's own configuration file could name one that drops every secret, and are not asked.
"""

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import structlog

CALL_WITHIN_S = 60.0
"""A person may have to type a password into the keychain's own dialog."""

PROBE_WITHIN_S = 5.0
SERVICE = "deskbus"

BACKENDS = {
    "secret-service": ("keyring.backends.SecretService", "Keyring"),
    "kwallet": ("keyring.backends.kwallet", "DBusKeyring"),
    "macos": ("keyring.backends.macOS", "Keyring"),
    "windows": ("keyring.backends.Windows", "WinVaultKeyring"),
}
"""By the name that status and health show."""

Why = Literal["locked", "timed out", "broken"]

_late: dict[str, threading.Thread] = {}
"""Calls that nobody waits for any more, by keychain. A person may still answer one: what it writes
then must not come after what is written meanwhile, and no second dialog is put before the first.
"""

log = structlog.get_logger()


class FoundEntry(NamedTuple):
    value: str


class AbsentEntry(NamedTuple):
    """The keychain is open and has no such entry."""


class LockedEntry(NamedTuple):
    """The keychain did not say. Nothing may be created or overwritten because of it."""

    why: Why


class KeychainError(Exception):
    """A value could not be kept; `why` is for people and tells no secret."""

    def __init__(self, why: Why) -> None:
        super().__init__(f"the keychain is {why}")
        self.why = why


class Keychain(Protocol):
    """Where the key-encryption key is kept. Methods block."""

    @property
    def name(self) -> str: ...

    def read(self, entry: str) -> FoundEntry | AbsentEntry | LockedEntry: ...

    def write(self, entry: str, value: str) -> None:
        """Returns when the value reads back; raises `KeychainError`."""
        ...

    def delete(self, entry: str) -> None: ...

    def would_ask(self) -> bool:
        """Whether reading may ask a person; asks nobody, and says yes where it can't know."""
        ...


class KeychainState(NamedTuple):
    """`reachable` says whether secrets could be kept there; `detail` names it or the trouble."""

    reachable: bool
    detail: str


class SystemKeychain:
    """One of keyring's backends, each call on a thread of its own with a deadline."""

    def __init__(self, name: str, backend: Any, within_s: float = CALL_WITHIN_S) -> None:
        self._name = name
        self._backend = backend
        self._within_s = within_s

    @property
    def name(self) -> str:
        return self._name

    def read(self, entry: str) -> FoundEntry | AbsentEntry | LockedEntry:
        try:
            value = self._call(lambda: self._backend.get_password(SERVICE, entry))
        except KeychainError as error:
            return LockedEntry(error.why)
        if value is None:
            return AbsentEntry()
        return FoundEntry(value) if isinstance(value, str) else LockedEntry("broken")

    def write(self, entry: str, value: str) -> None:
        self._call(lambda: self._backend.set_password(SERVICE, entry, value))
        if self.read(entry) != FoundEntry(value):
            raise KeychainError("broken")

    def delete(self, entry: str) -> None:
        """Deletes an entry; a missing one is no error. Raises `KeychainError` for all else."""
        if isinstance(self.read(entry), FoundEntry):
            self._call(lambda: self._backend.delete_password(SERVICE, entry))

    def would_ask(self) -> bool:
        is_locked = _LOOKS.get(self._name)
        try:
            return is_locked is None or bool(self._call(is_locked))
        except KeychainError:
            return True

    def _call(self, action: Callable[[], Any]) -> Any:
        """Raises `KeychainError` and never what the backend raised, whose text is unknown."""
        if _is_late(self._name):
            raise KeychainError("timed out")
        answer: list[Any] = []
        why: list[Why] = []

        def run() -> None:
            try:
                answer.append(action())
            except Exception as error:  # noqa: BLE001  # backends raise what their library does
                why.append(_why(error))
                log.warning("keychain.failed", keychain=self._name, error=type(error).__name__)

        # A daemon: a call that hangs must not keep the backend from ending.
        thread = threading.Thread(target=run, name="keychain", daemon=True)
        thread.start()
        thread.join(self._within_s)
        if why:
            raise KeychainError(why[0])
        if not answer:
            _late[self._name] = thread
            raise KeychainError("timed out")
        return answer[0]


class LateKeychain:
    """One that is perhaps there: it did not say in time. That is no reason to do without it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, _: str) -> FoundEntry | AbsentEntry | LockedEntry:
        return LockedEntry("timed out")

    def write(self, _: str, __: str) -> None:
        raise KeychainError("timed out")

    def delete(self, _: str) -> None:
        raise KeychainError("timed out")

    def would_ask(self) -> bool:
        return True


def find_keychain(wanted: str | None = None, within_s: float = CALL_WITHIN_S) -> Keychain | None:
    """The keychain of this desktop, or the one of that name; None where there is none."""
    for name in [wanted] if wanted else _candidates():
        if name not in BACKENDS:
            continue
        if (backend := _construct(name)) is not None:
            return SystemKeychain(name, backend, within_s)
        if _is_late(name):
            return LateKeychain(name)
    return None


def probe() -> KeychainState:
    """Asks the keychain for an entry that does not exist; writes nothing."""
    keychain = find_keychain(within_s=PROBE_WITHIN_S)
    if keychain is None:
        return KeychainState(False, "no keychain of this desktop is reachable")
    answer = keychain.read("probe")
    if isinstance(answer, LockedEntry):
        return KeychainState(False, f"{keychain.name} is {answer.why}")
    return KeychainState(True, keychain.name)


def _candidates() -> list[str]:
    of_platform = {"darwin": ["macos"], "win32": ["windows"]}
    return of_platform.get(sys.platform, ["secret-service", "kwallet"])


def _construct(name: str) -> Any:
    """The backend; None where this machine can't have it, or where it is late."""
    if _is_late(name):
        return None
    module, class_name = BACKENDS[name]
    found: list[Any] = []

    def construct() -> None:
        try:
            # Imported here: no start of the backend needs it.
            kind = getattr(importlib.import_module(module), class_name)
            kind.priority  # noqa: B018  # raises where the service is not to be had
            # Without the hook that takes properties from the environment.
            own = type(class_name, (kind,), {"set_properties_from_env": lambda _: None})
            found.append(own())
        except Exception as error:  # noqa: BLE001  # whatever it is, this backend is not here
            log.debug("keychain.not_here", keychain=name, error=type(error).__name__)

    thread = threading.Thread(target=construct, name="keychain", daemon=True)
    thread.start()
    thread.join(PROBE_WITHIN_S)
    if thread.is_alive():
        _late[name] = thread
        return None
    return found[0] if found else None


def _is_late(name: str) -> bool:
    return name in _late and _late[name].is_alive()


def _secret_service_is_locked() -> bool:
    # Not `get_default_collection`, which asks a person for a new one where there is none.
    secretstorage = importlib.import_module("secretstorage")
    with contextlib.closing(secretstorage.dbus_init()) as bus:
        return bool(secretstorage.Collection(bus).is_locked())


_LOOKS: dict[str, Callable[[], bool]] = {
    "secret-service": _secret_service_is_locked,
    "windows": lambda: False,
}
"""Where it can be known without asking a person; the others may ask for each program anew."""


def _why(error: Exception) -> Why:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"KeyringLocked", "LockedException", "PromptDismissedException"}:
        return "locked"
    return "broken"
