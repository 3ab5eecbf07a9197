"""DecisionStore: keeps the decision table in the vault; without one it ends with the backend."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import msgspec
import structlog

from deskbus.contracts.sealed_value import SealedValue
from deskbus.security.decisions.decision_table import DecisionState, DecisionTable
from deskbus.storage.clocks import SteadyClock
from deskbus.storage.newer_format import NewerFormatError, refuse_newer
from deskbus_protocol.errors import CONFLICT, DeskbusError

OLD_FILE = "decisions.json"
"""Where earlier versions kept decisions in plain text. It counts for nothing."""


IN_MEMORY = "there is no vault: decisions are in memory only, and gone when the backend ends"
DAMAGED = "remembered decisions were damaged or changed from outside; every permission asks again"


SAVE_WITHIN_S = 5.0
"""An app does not wait longer for its answer because a keychain waits for a person."""


log = structlog.get_logger()


class DecisionStore:
    """A store that is locked, damaged, older or gone is an empty one: nothing is allowed by it.

    `is_behind` says that a change could not be saved yet, `problem` in plain words what is wrong. A
    damaged store is kept aside first, by `keep_aside`, which returns where. Files of a later
    version are left as they are, and nothing is saved over them.
    """

    def __init__(
        self,
        folder: Path,
        sealed_value: SealedValue,
        decisions: DecisionTable,
        clock: SteadyClock,
        keep_aside: Callable[[], Awaitable[str]],
    ) -> None:
        self._old_file = folder / OLD_FILE
        self._sealed_value = sealed_value
        self._decisions = decisions
        self._clock = clock
        self._keep_aside = keep_aside
        self._is_read = False
        self._turn = anyio.Lock()
        self._lasting_problem: str | None = None
        self.problem: str | None = None
        self.is_behind = False

    def set_old_file_aside(self) -> None:
        """Blocks. An earlier version's file is kept under another name, and not believed."""
        number = 1
        while (aside := self._old_file.with_suffix(f".unreadable-{number}")).exists():
            number += 1
        try:
            self._old_file.rename(aside)
        except FileNotFoundError:
            return
        except OSError:
            log.exception("decisions.could_not_set_aside")
        self._lasting_problem = (
            f"{OLD_FILE} is not believed any more and was set aside; every permission asks again"
        )
        self.problem = self._lasting_problem
        log.error("decisions.old_file_set_aside", file=aside.name)

    async def open(self) -> bool:
        """Reads what the vault has; what was decided meanwhile stays. True once that is done.

        While the vault is locked `problem` says so, and this may be called again.
        """
        async with self._turn:
            try:
                await self._read()
            except DeskbusError as error:
                self.problem = f"remembered decisions are not known: {error.message}"
            except Exception:  # raised again, to whoever begins it anew
                self.problem = "remembered decisions are not known: reading them failed"
                raise
        return self._is_read

    async def save(self) -> None:
        """Returns when the decisions are on disk, or is known to be kept in memory only.

        Raises `DeskbusError` while it can't be kept; nothing is overwritten that was not read.
        """
        async with self._turn:
            await self._read()
            content = msgspec.json.encode(self._decisions.state(self._clock()))
            is_kept = await self._sealed_value.save(content)
            self.is_behind = False
            self.problem = self._lasting_problem if is_kept else IN_MEMORY

    async def save_in_time(self) -> bool:
        """As `save`, but waits no longer than `SAVE_WITHIN_S`; false where it could not be saved.

        A change that could not be saved applies until the backend ends; `is_behind` then.
        """
        self.is_behind = True
        try:
            with anyio.move_on_after(SAVE_WITHIN_S) as limit:
                await self.save()
        except (DeskbusError, OSError) as error:
            log.warning("decisions.not_saved", reason=type(error).__name__)
        if limit.cancelled_caught:
            log.warning("decisions.not_saved", reason="the vault takes too long")
        return not self.is_behind

    async def _read(self) -> None:
        if self._is_read:
            return
        if self._sealed_value.exists:
            try:
                content = await self._sealed_value.load()
                refuse_newer(content or b"", DecisionState().version, "the list of decisions")
                state = (
                    DecisionState()
                    if content is None
                    else msgspec.json.decode(content, type=DecisionState)
                )
            except NewerFormatError as error:
                raise error.to_wire() from None
            except DeskbusError as error:
                if error.kind is not CONFLICT:
                    raise
                await self._set_aside("changed")
            except msgspec.MsgspecError:
                await self._set_aside("not of this version")
            else:
                self._clock.not_before(state.seen)
                self._decisions.restore(state)
        self._is_read = True
        self.problem = self._lasting_problem

    async def _set_aside(self, why: str) -> None:
        where = await self._keep_aside()
        self._lasting_problem = f"{DAMAGED}; a copy is in {where}"
        log.error("decisions.damaged", why=why, copy=where)
