"""A security manager for tests: a clock, a vault, an audit log and a person, all by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.decisions.decision_table import DecisionTable
from deskbus.security.decisions.permission_settings import PermissionSettings
from deskbus.security.identity.code_identity import CodeIdentity
from deskbus.security.model.effective_permissions import AppRules
from deskbus.security.permission_checker import ConsentMode
from deskbus.security.permission_request import ConsentAnswer, PermissionRequest
from deskbus.security.service import SecurityManager
from deskbus.storage.clocks import SteadyClock
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import CONFLICT, UNAVAILABLE, DeskbusError
from deskbus_protocol.permissions import Grant
from tests.support.audit_trail import FakeTrail

START_MS = 1_800_000_000_000
TICKER = ClientId("desk.ticker", "main")
OTHER_WINDOW = ClientId("desk.ticker", "second")
READ = Grant("messaging.read", "prices.#")
WRITE = Grant("messaging.write", "orders.#")
ITSELF = CodeIdentity(bound="content:one")


class FakeKeeper:
    def __init__(self, *, keeps: bool = True) -> None:
        self.keeps = keeps
        self.locked = False
        self.damaged = False
        self.content: bytes | None = None

    @property
    def exists(self) -> bool:
        return self.content is not None

    async def load(self) -> bytes | None:
        self._check()
        if self.damaged:
            raise DeskbusError(CONFLICT, "This was changed from outside.")
        return self.content

    async def save(self, content: bytes) -> bool:
        self._check()
        if self.keeps:
            self.content, self.damaged = content, False
        return self.keeps

    def _check(self) -> None:
        if self.locked:
            raise DeskbusError(UNAVAILABLE, "The vault is locked.")


class FakeClock:
    """A wall clock and one that only runs forward; `pass_ms` moves both."""

    def __init__(self) -> None:
        self.wall = START_MS
        self.running = 5_000

    def pass_ms(self, ms: int) -> None:
        self.wall += ms
        self.running += ms

    def steady(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.running)


Person = Callable[[PermissionRequest], Awaitable[ConsentAnswer]]


def says(choice: str, holds: str = "once", expires_ms: int | None = None) -> Person:
    """A person who always answers so."""

    async def person(_: PermissionRequest) -> ConsentAnswer:
        await anyio.lowlevel.checkpoint()
        return ConsentAnswer(choice, holds, expires_ms)  # type: ignore[arg-type]

    return person


class Desk:
    """One run of the backend; `again` is the next one, with the same vault and clock."""

    def __init__(
        self,
        *,
        keeper: FakeKeeper | None = None,
        clock: FakeClock | None = None,
        declares: tuple[Grant, ...] = (READ, WRITE),
        grants: tuple[Grant, ...] = (),
        mode: ConsentMode = "ask",
        identity: CodeIdentity = ITSELF,
        catalogue: Catalogue | None = None,
        folder: Path = Path("/nonexistent"),
    ) -> None:
        self.keeper = keeper or FakeKeeper()
        self.clock = clock or FakeClock()
        self.trail = FakeTrail()
        self.asked: list[PermissionRequest] = []
        self.changed: list[str] = []
        self.copies = 0
        self.person: Person = says("failed")
        self.rules = AppRules(grants=grants, declares=declares, name="Ticker")
        self.identity = identity
        now = self.clock.steady()
        self.now = now
        self.decisions = DecisionTable()
        self.store = DecisionStore(folder, self.keeper, self.decisions, now, self._copy)
        self.security = SecurityManager(
            apps={TICKER.app: self.rules},
            catalogue=catalogue or Catalogue(),
            decisions=self.decisions,
            store=self.store,
            prompt=self._prompt,
            mode=mode,
            trail=self.trail,
            clock=now,
            on_changed=self.changed.append,
        )
        self.settings = PermissionSettings(
            self.security, self.decisions, self.store, self.trail, now
        )

    async def open(self) -> None:
        self.security.apps.register(TICKER.app, self.rules, self.identity)
        if await self.store.open():
            self.security.decisions_known()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Desk"]:
        await self.open()
        async with self.security.running():
            yield self

    def again(self, identity: CodeIdentity = ITSELF) -> "Desk":
        return Desk(keeper=self.keeper, clock=self.clock, identity=identity)

    async def _prompt(self, question: PermissionRequest) -> ConsentAnswer:
        self.asked.append(question)
        return await self.person(question)

    async def _copy(self) -> str:
        self.copies += 1
        return "vault.damaged-1"
