"""Decisions that a person asked to be remembered, encrypted where this machine has a keychain."""

import os
from pathlib import Path
from typing import Literal, Protocol

import anyio
import msgspec
import structlog

from deskbus.security.rules import denial_covers
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant

FILE_NAME = "decisions.json"

log = structlog.get_logger()


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    app: str
    grant: Grant
    allowed: bool


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1] = 1
    decisions: list[Decision]


class Keeper(Protocol):
    """Keeps content encrypted. Raises `DeskbusError` while its key can't be had."""

    @property
    def exists(self) -> bool:
        """Whether it may have kept anything; asks nobody."""
        ...

    async def load(self) -> bytes | None: ...

    async def save(self, content: bytes) -> bool:
        """False where it keeps nothing beyond the end of the process."""
        ...


class DecisionStore:
    """Keeps decisions with the keeper; where that keeps nothing, in a file of mode 0600.

    The file is taken over and removed once the keeper does keep them. A file that can't be read
    counts as empty, and is set aside under another name, so that nothing is lost and nothing is
    allowed because of it.
    """

    def __init__(self, folder: Path, keeper: Keeper) -> None:
        self._path = folder / FILE_NAME
        self._keeper = keeper
        self._is_read = False
        self._added: list[Decision] = []
        self.decisions: list[Decision] = []
        self.problem: str | None = None
        self._turn = anyio.Lock()

    async def open(self) -> None:
        """Reads what the keeper has, if anything; it counts instead of the file.

        Decisions that were added meanwhile stay. While the keeper is locked, `problem` says so, and
        this may be called again.
        """
        async with self._turn:
            try:
                await self._read()
            except DeskbusError as error:
                self.problem = f"remembered decisions are not known: {error.message}"
            except msgspec.MsgspecError:
                self.problem = "remembered decisions are damaged; every permission asks again"
                log.error("decisions.damaged")  # noqa: TRY400

    async def save(self) -> None:
        """Returns when they are on disk; raises `DeskbusError`, `OSError`."""
        async with self._turn:
            await self._read()
            content = msgspec.json.encode(_File(decisions=self.decisions))
            if await self._keeper.save(content):
                await anyio.to_thread.run_sync(lambda: self._path.unlink(missing_ok=True))
            else:
                await anyio.to_thread.run_sync(self._write, content)
            self.problem = None

    async def _read(self) -> None:
        if self._is_read or not self._keeper.exists:
            return
        content = await self._keeper.load()
        if content is not None:
            self.decisions = msgspec.json.decode(content, type=_File).decisions
            for decision in self._added:
                self.add(decision)
        self._is_read = True
        self.problem = None

    def load_file(self) -> None:
        """Reads the file, if there is one."""
        try:
            self.decisions = msgspec.json.decode(self._path.read_bytes(), type=_File).decisions
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            self.problem = f"{FILE_NAME} could not be read; every permission asks again"
            log.error("decisions.unreadable", reason=type(error).__name__)  # noqa: TRY400
            self._set_aside()

    def add(self, decision: Decision) -> None:
        """Remembers `decision` in place of an earlier one for the same app and grant."""
        self.decisions = [
            known
            for known in self.decisions
            if (known.app, known.grant) != (decision.app, decision.grant)
        ] + [decision]
        if not self._is_read:
            self._added = [*self._added, decision]

    def remove(self, app: str, permission: str | None, scope: str | None) -> int:
        """How many there were of these."""

        def fits(decision: Decision) -> bool:
            grant = decision.grant
            return (
                decision.app == app
                and permission in (None, grant.permission)
                and scope in (None, grant.scope)
            )

        kept = [decision for decision in self.decisions if not fits(decision)]
        removed = len(self.decisions) - len(kept)
        self.decisions = kept
        return removed

    def granted(self, app: str) -> list[Grant]:
        return [d.grant for d in self.decisions if d.app == app and d.allowed]

    def denies(self, app: str, wanted: Grant) -> bool:
        return any(
            denial_covers(d.grant, wanted) for d in self.decisions if d.app == app and not d.allowed
        )

    def _write(self, content: bytes) -> None:
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def _set_aside(self) -> None:
        number = 1
        while (aside := self._path.with_suffix(f".unreadable-{number}")).exists():
            number += 1
        try:
            self._path.rename(aside)
        except OSError:
            log.exception("decisions.could_not_set_aside")
