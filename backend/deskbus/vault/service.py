"""The vault for the rest of the backend: on threads, and with errors that may cross the wire."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar, get_args

import structlog
from msgspec import UNSET

from deskbus.config import REFERENCE
from deskbus.contracts.progress import ReportProgress
from deskbus.languages.health_words import other, phrase, told
from deskbus.reliability.circuit_breaker import BreakerPolicy, CircuitBreaker
from deskbus.reliability.throttle import Throttle
from deskbus.storage.newer_format import NewerFormatError
from deskbus.storage.regular_file import open_regular_file
from deskbus.storage.worker_thread import WorkerThread
from deskbus.vault.cipher import SealError, wipe
from deskbus.vault.keys.kek_providers import NewerVaultError, VaultLockedError
from deskbus.vault.keys.keyset import Purpose
from deskbus.vault.keys.master_password import WeakPasswordError, check_strength
from deskbus.vault.records.memory_records import MemoryFullError
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.records.vault_archive import count_export, export_vault, import_vault
from deskbus.vault.vault import Vault
from deskbus_protocol.errors import (
    CONFLICT,
    DEGRADED,
    INVALID_PARAMS,
    NEWER_FORMAT,
    NOT_FOUND,
    TOO_LARGE,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.secrets import MAX_SECRETS, VaultStatus

T = TypeVar("T")

VaultOutcome = Literal["done", "locked", "failed"]

POLICY = BreakerPolicy(failures=1, open_s=30.0, successes=1)
"""A locked vault stays locked for a while, however often apps call: a try may be a dialog."""

DAMAGE_TOLD_EVERY_S = 60.0
MAX_PURPOSES = 16
"""An app that reads a damaged record in a loop must not push all else out of the audit log."""

log = structlog.get_logger()


class _DamagedError(Exception):
    """A record was changed from outside."""


async def _nobody(_: Purpose | None) -> None:
    pass


class VaultService:
    """Methods raise `DeskbusError`: unavailable while locked, conflict for a changed record,
    newer_format for what a later version of deskbus wrote.

    `passes` is told each secret that comes in or goes out, so that the log can leave it out.
    `on_refused` is awaited for such a record before the caller is told, with its purpose where one
    alone was wanted.
    """

    def __init__(
        self,
        vault: Vault,
        on_changed: Callable[[VaultStatus], None],
        *,
        on_refused: Callable[[Purpose | None], Awaitable[None]] = _nobody,
        passes: Callable[[str], None] = lambda _: None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vault = vault
        self.breaker = CircuitBreaker("keychain", policy=POLICY, monotonic_s=monotonic_s)
        self._on_changed = on_changed
        self._on_refused = on_refused
        self._passes = passes
        self._monotonic_s = monotonic_s
        self._damages: Throttle[Purpose | None] = Throttle(1, DAMAGE_TOLD_EVERY_S, MAX_PURPOSES)
        self._reported_state = vault.state
        self.operations: Counter[VaultOutcome] = Counter(dict.fromkeys(get_args(VaultOutcome), 0))
        self._thread = WorkerThread("vault", log_faults=False)

    async def set(self, app: str, name: str, value: str) -> None:
        self._passes(value)

        def put() -> None:
            known = {known.name for known in self._vault.names() if known[:2] == ("apps", app)}
            if name not in known and len(known) >= MAX_SECRETS:
                raise DeskbusError(TOO_LARGE, f"An app may keep {MAX_SECRETS} secrets.")
            self._vault.put(Name("apps", app, name), value.encode())

        await self._run(put)

    async def get(self, app: str, name: str) -> str:
        value = await self._run(lambda: self._vault.get(Name("apps", app, name)), "apps")
        if value is None:
            raise DeskbusError(NOT_FOUND, "This app has no secret of that name.")
        return self._passing(value)

    async def delete(self, app: str, name: str) -> bool:
        return await self._run(lambda: self._vault.delete(Name("apps", app, name)))

    async def names(self, app: str) -> list[str]:
        known = await self._run(self._vault.names)
        return sorted(name.name for name in known if name[:2] == ("apps", app))

    async def reveal(self, env: dict[str, str]) -> dict[str, str]:
        """The environment with values that name a secret of the configuration replaced by that
        secret.
        """
        return {variable: await self.resolve(value) for variable, value in env.items()}

    async def resolve(self, value: str) -> str:
        """Resolves `secret:NAME`; returns any other value as it is.

        For every place of the configuration that takes a credential, at the moment at which it is
        used: the answer is not to be kept. Raises `DeskbusError`: not_found, unavailable.
        """
        if not value.startswith(REFERENCE):
            return value
        name = value.removeprefix(REFERENCE)
        secret = await self._run(lambda: self._vault.get(Name("config", "", name)), "config")
        if secret is None:
            raise DeskbusError(
                NOT_FOUND,
                f"The configuration's secret {name} is not in the vault.",
                action=f"Put it there: deskbus vault set {name}",
            )
        return self._passing(secret)

    @property
    def exists(self) -> bool:
        return self._vault.exists

    async def kept(self, name: Name) -> bytes | None:
        return await self._run(lambda: self._vault.get(name), name.purpose)

    async def keep(self, name: Name, content: bytes) -> bool:
        """Keeps a value; returns False where it is kept in memory only."""

        def put() -> bool:
            self._vault.put(name, content)
            return self._vault.state != "memory"

        return await self._run(put)

    async def forget(self, name: Name) -> bool:
        """Whether there was such a record."""
        return await self._run(lambda: self._vault.delete(name))

    async def unlock(self, password: str | None) -> None:
        given = None if password is None else bytearray(password.encode())
        if password is not None:
            self._passes(password)
        try:
            await self._run(lambda: self._vault.unlock(given), by_person=True)
        finally:
            if given is not None:
                wipe(given)

    async def lock(self) -> None:
        """Forgets every key until `unlock`; raises `DeskbusError` where nothing would be kept."""
        await self._run(self._vault.lock, by_person=True)

    async def rotate(
        self, *, kek: bool, keys: bool, progress: ReportProgress, reseal: bool = True
    ) -> None:
        self._must_exist()
        tell = _on_this_loop(progress)
        if kek:
            await self._run(self._vault.rotate_kek, by_person=True)
        if keys:
            await self._run(
                lambda: self._vault.rotate_keys(reseal=reseal, progress=tell), by_person=True
            )

    async def use_password(self, password: str) -> None:
        """Raises `DeskbusError` (invalid_params) for one that is too weak."""
        given = _strong(password)
        self._passes(password)
        try:
            await self._run(lambda: self._vault.use_password(given), by_person=True)
        finally:
            wipe(given)

    async def use_keychain(self, name: str | None) -> None:
        await self._run(lambda: self._vault.use_keychain(name), by_person=True)

    async def use_safe_storage(self) -> None:
        await self._run(self._vault.use_safe_storage, by_person=True)

    @property
    def needs_shell(self) -> bool:
        return self._vault.exists and self._vault.needs_shell

    async def shell_came(self) -> None:
        """Opens a vault that was wanted while no shell was there to open it.

        Raises `DeskbusError`; one that a person locked stays so.
        """
        if self._vault.state == "locked" and self.needs_shell:
            await self._run(self._vault.open, by_person=True)

    async def put_config(self, name: str, value: str) -> None:
        """Keeps what `secret:NAME` of the configuration stands for, where it lasts."""
        self._passes(value)

        def put() -> None:
            self._vault.names()
            if self._vault.state == "memory":
                raise VaultLockedError(
                    "there is no keychain; deskbus vault change-password makes a vault"
                )
            self._vault.put(Name("config", "", name), value.encode())

        await self._run(put, by_person=True)

    async def has_config(self, name: str) -> bool:
        self._must_exist()
        return await self._run(
            lambda: Name("config", "", name) in self._vault.names(), by_person=True
        )

    async def delete_config(self, name: str) -> bool:
        self._must_exist()
        return await self._run(lambda: self._vault.delete(Name("config", "", name)), by_person=True)

    async def export(self, file: Path, password: str) -> int:
        """Answers with how many records were left out, because they were changed from outside."""
        self._must_exist()
        given = _strong(password)
        try:
            return await self._run(
                lambda: _transfer(lambda: export_vault(self._vault, file, given), file),
                by_person=True,
            )
        finally:
            wipe(given)

    async def count_in(self, file: Path, password: str) -> int:
        """The number of records that an export says it has, if it may be imported; imports none.

        Raises `DeskbusError`: unavailable where what comes in would not last, conflict for another
        password, not_found.
        """
        return await self._read_export(file, password, count_export)

    async def import_records(self, file: Path, password: str, progress: ReportProgress) -> int:
        """Imports an export; answers with the number of its records."""
        tell = _on_this_loop(progress)
        return await self._read_export(
            file,
            password,
            lambda exported, given: import_vault(self._vault, exported, given, tell),
        )

    async def _read_export(
        self, file: Path, password: str, read: Callable[[BinaryIO, bytearray], int]
    ) -> int:
        given = bytearray(password.encode())

        def take() -> int:
            self._vault.names()
            if self._vault.state == "memory":
                raise DeskbusError(
                    UNAVAILABLE,
                    "There is no keychain: what is imported would be gone when the backend ends.",
                    action="Set up a keychain and unlock the vault, or make a vault under a master "
                    "password (deskbus vault change-password); then import again.",
                )
            with open_regular_file(file) as exported:
                try:
                    return read(exported, given)
                except SealError:
                    raise DeskbusError(
                        CONFLICT,
                        "The password of the export is wrong, or the file was changed.",
                        action="Try again with the right password, or another copy of the file.",
                    ) from None

        try:
            return await self._run(lambda: _transfer(take, file), by_person=True)
        finally:
            wipe(given)

    async def secrets(self) -> list[str]:
        """The values of apps and of the configuration, where the vault is open or opens by itself;
        none where there is no vault. Raises `DeskbusError`.
        """
        if not self._vault.exists and self._vault.state != "memory":
            return []

        def read() -> list[str]:
            names = [name for name in self._vault.names() if name.purpose in ("apps", "config")]
            found = (self._vault.get(name) for name in names)
            return [value.decode() for value in found if value is not None]

        return await self._run(read)

    def _must_exist(self) -> None:
        """Raises `DeskbusError` where there is nothing to change, which makes no vault."""
        if not self._vault.exists and self._vault.state != "memory":
            raise DeskbusError(
                NOT_FOUND,
                "There is no vault yet.",
                action="deskbus vault unlock makes one in the keychain; "
                "deskbus vault change-password makes one under a master password.",
            )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At its end every key is forgotten."""
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Forgets every key; blocks for at most a second."""
        self._thread.stop()
        self._vault.close()

    def status(self) -> VaultStatus:
        return wire_status(self._vault)

    def health(self) -> ComponentHealth:
        status = self._vault.status()
        if status.state in ("memory", "locked"):
            if status.state == "memory":
                return told("degraded", phrase("vault-memory"))
            return told("degraded", phrase("vault-locked", words=status.detail))
        if status.state == "closed" or status.kek_rotated_ms is None:
            return told("ok", phrase("vault-closed"))
        rotated = datetime.fromtimestamp(status.kek_rotated_ms / 1000, UTC)
        words = f"{status.kek_provider}: {status.strength}"
        return told("ok", other(words), phrase("vault-rotated", day=f"{rotated:%Y-%m-%d}"))

    async def _run(
        self,
        action: Callable[[], T],
        purpose: Purpose | None = None,
        *,
        by_person: bool = False,
    ) -> T:
        try:
            return await self._in_turn(action, by_person=by_person)
        except _DamagedError:
            # Not within the turn: the audit log may need the vault to record it.
            await self._tell_of_damage(purpose)
            raise DeskbusError(
                CONFLICT,
                "This secret was changed from outside and can't be opened.",
                action="Set it anew, or import an export of the vault.",
            ) from None

    async def _in_turn(self, action: Callable[[], T], *, by_person: bool) -> T:
        async with self._thread.turn():
            if by_person or self._vault.state != "locked":
                self.breaker.reset()
            attempt = self.breaker.begin()
            if attempt is None:
                self.operations["locked"] += 1
                raise _locked(self._vault.status().detail, newer=self._vault.is_newer)
            outcome: VaultOutcome = "failed"
            try:
                result = await self._thread.run(action)
                attempt.succeeded()
                outcome = "done"
                return result
            except VaultLockedError as error:
                attempt.failed()
                outcome = "locked"
                raise _locked(error.why, newer=isinstance(error, NewerVaultError)) from None
            except NewerFormatError as error:
                log.error("vault.newer", found=error.what)  # noqa: TRY400
                raise error.to_wire() from None
            except MemoryFullError as error:
                raise _too_much(error) from None
            except SealError:
                log.error("vault.record_damaged")  # noqa: TRY400  # a traceback could carry values
                raise _DamagedError from None
            except OSError as error:
                log.error("vault.disk", reason=error.strerror)  # noqa: TRY400
                raise DeskbusError(DEGRADED, "The vault can't be read or written.") from None
            finally:
                self.operations[outcome] += 1
                attempt.withdrawn()
                self._tell()

    def _passing(self, secret: bytes) -> str:
        value = secret.decode()
        self._passes(value)
        return value

    async def _tell_of_damage(self, purpose: Purpose | None) -> None:
        if self._damages.take(purpose, self._monotonic_s()).passes:
            await self._on_refused(purpose)

    def _tell(self) -> None:
        """Tells of a change of state, once."""
        state = self._vault.state
        if state != self._reported_state:
            self._reported_state = state
            self._on_changed(self.status())


class SecretSlot:
    """One small value of the backend's own: `SecretSlot(vault, "audit", "anchor")`.

    `save` returns when the value is on disk; `load` answers with the last one saved, after a
    restart too, and with None where there was none. A value that was changed from outside, or
    replaced by an older one of its own, is a `DeskbusError`, never None. Each save costs two
    fsyncs: what changes a hundred times a second belongs elsewhere.
    """

    def __init__(self, vault: VaultService, purpose: Purpose, name: str) -> None:
        self._vault = vault
        self._name = Name(purpose, "", name)

    @property
    def exists(self) -> bool:
        return self._vault.exists

    async def load(self) -> bytes | None:
        """Raises `DeskbusError`."""
        return await self._vault.kept(self._name)

    async def save(self, content: bytes) -> bool:
        """False where nothing is kept on disk; raises `DeskbusError`."""
        return await self._vault.keep(self._name, content)

    async def clear(self) -> bool:
        """Whether there was a value; raises `DeskbusError`."""
        return await self._vault.forget(self._name)


def wire_status(vault: Vault) -> VaultStatus:
    """The vault's status as it crosses the wire; asks nobody."""
    status = vault.status()
    return VaultStatus(
        state=status.state,
        detail=status.detail,
        needs_password=status.state == "locked" and vault.needs_password,
        kek_provider=UNSET if status.kek_provider is None else status.kek_provider,
        strength=UNSET if status.strength is None else status.strength,
        records=UNSET if status.records is None else status.records,
        outdated=UNSET if status.outdated is None else status.outdated,
        kek_rotated=UNSET if status.kek_rotated_ms is None else status.kek_rotated_ms,
        keys_rotated=UNSET if status.keys_rotated_ms is None else status.keys_rotated_ms,
    )


def _on_this_loop(progress: ReportProgress) -> ReportProgress:
    """The same, to be called on any thread."""
    loop = asyncio.get_running_loop()

    def tell(done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, done, total)

    return tell


def _strong(password: str) -> bytearray:
    """In bytes, to be wiped; raises `DeskbusError` (invalid_params)."""
    given = bytearray(password.encode())
    try:
        check_strength(given)
    except WeakPasswordError as error:
        raise DeskbusError(INVALID_PARAMS, f"The password is too weak: {error}.") from None
    return given


def _transfer(action: Callable[[], int], file: Path) -> int:
    """Runs `action`; what is wrong with its file is told as that, and not as the vault's fault."""
    try:
        return action()
    except FileExistsError:
        raise DeskbusError(
            CONFLICT, "There is such a file already.", action="Choose another name."
        ) from None
    except OSError as error:
        if not isinstance(error.filename, str | bytes | os.PathLike):
            raise
        if Path(os.fsdecode(error.filename)).parent != file.parent:
            raise
        raise DeskbusError(
            NOT_FOUND,
            f"The file can't be used: {error.strerror}.",
            action="Look at its name, its folder and its mode.",
        ) from None


def _locked(why: str, *, newer: bool) -> DeskbusError:
    if newer:
        return DeskbusError(NEWER_FORMAT, f"The vault is locked: {why}.")
    return DeskbusError(
        UNAVAILABLE,
        f"The vault is locked: {why}.",
        action="Unlock it with vault.unlock, then try again; nothing is lost.",
    )


def _too_much(error: MemoryFullError) -> DeskbusError:
    return DeskbusError(
        TOO_LARGE,
        f"Without a keychain {error.whose} may keep {error.limit_bytes // 2**20} MiB in memory.",
        action="Delete what is not needed, or set up a keychain or a master password.",
    )
