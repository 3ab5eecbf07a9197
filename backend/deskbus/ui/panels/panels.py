"""Panels: keeps open panels true to what they show, and lets a person act in them."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import anyio
import structlog
from msgspec import UnsetType, structs

from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.ui.panels.shell_panel import ShellPanel
from deskbus.ui.shell import Shell
from deskbus_protocol.control import OpenCentreParams
from deskbus_protocol.errors import (
    CONFLICT,
    INTERNAL_ERROR,
    NOT_FOUND,
    OVERLOADED,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.method import Empty
from deskbus_protocol.panels import (
    MAX_REGISTERED,
    DrawPanelParams,
    ListedPanel,
    PanelColumn,
    PanelContent,
    PanelDescriptor,
    PanelGroup,
    PanelMessage,
    PanelQuery,
    PanelRow,
)

OPEN_TIMEOUT_S = 10.0

MIN_REDRAW_S = 0.1
"""A panel is drawn anew at most this often, however much changes."""

REMEMBERED_REVISIONS = 16
"""A person acts on what they see; what is older than this many redraws is not acted on."""

NO_COLUMNS = [PanelColumn(id="none", title="")]

log = structlog.get_logger()


class PanelProvider(Protocol):
    """The source of one panel's content."""

    @property
    def name(self) -> str: ...

    async def describe(self, query: PanelQuery) -> PanelContent:
        """The panel's present content; raises `DeskbusError`, which the panel then shows."""
        ...

    async def act(self, action: str, row: str | None, path: Path | None) -> str:
        """Does what a person chose; what it returns is told to them. Raises `DeskbusError`."""
        ...


class _Open:
    """A panel whose window is open."""

    def __init__(self, provider: PanelProvider, query: PanelQuery) -> None:
        self.id = f"{provider.name}-{secrets.token_hex(4)}"
        self.provider = provider
        self.query = query
        self.revision = 0
        self.seen: dict[int, PanelContent] = {}
        self.dirty = anyio.Event()
        self.scope = anyio.CancelScope()

    def next(self, content: PanelContent) -> PanelDescriptor:
        self.revision += 1
        self.seen[self.revision] = content
        self.seen.pop(self.revision - REMEMBERED_REVISIONS, None)
        return PanelDescriptor(
            panel=self.id, name=self.provider.name, revision=self.revision, content=content
        )


class Panels:
    """Opens each panel in one window of the shell, and draws it anew when it has changed.

    A panel that the shell has added is a page of the control centre.

    An action counts if it was offered on what the person saw and is offered still.
    """

    def __init__(self, shell: Shell, providers: Sequence[PanelProvider] = ()) -> None:
        self._shell = shell
        self._providers = {provider.name: provider for provider in providers}
        self._open: dict[str, _Open] = {}
        self._tasks = BackgroundTasks()

    def add(self, provider: PanelProvider) -> None:
        self._providers[provider.name] = provider

    @property
    def names(self) -> list[str]:
        return sorted(self._providers)

    async def run(self) -> None:
        """Draws until cancelled."""
        await self._tasks.run()

    async def describe(self, name: str, query: PanelQuery) -> PanelContent:
        """Raises `DeskbusError`: not_found, or what the panel's service says."""
        return await self._find(name).describe(query)

    async def open(self, name: str, query: PanelQuery) -> str:
        """Returns the panel's id once its window is there; raises `DeskbusError`."""
        provider = self._find(name)
        if not self._tasks.running_now or not self._shell.connected:
            raise DeskbusError(
                UNAVAILABLE,
                "No shell is connected, so there is no window to draw a panel in.",
                action="Use panels.describe, or start the backend from Electron.",
            )
        if isinstance(provider, ShellPanel):
            page = OpenCentreParams(page=f"panel:{name}")
            await self._shell.call("ui.openControlCentre", page, Empty, timeout_s=OPEN_TIMEOUT_S)
            return name
        panel = self._opened(name) or _Open(provider, query)
        panel.query = self._spoken(query)
        is_new = panel.id not in self._open
        self._open[panel.id] = panel
        descriptor = panel.next(await _content(panel))
        try:
            params = DrawPanelParams(descriptor=descriptor)
            await self._shell.call("ui.openPanel", params, Empty, timeout_s=OPEN_TIMEOUT_S)
        except BaseException:
            if is_new:
                self.closed(panel.id)
            raise
        if is_new:
            self._tasks.start(self._keep_drawn, panel)
        return panel.id

    def register(self, name: str, title: str) -> None:
        """Adds a panel that the shell describes; raises `DeskbusError`: conflict, overloaded."""
        known = self._providers.get(name)
        if known is not None and not isinstance(known, ShellPanel):
            raise DeskbusError(CONFLICT, f"There is a panel {name} already.")
        own = sum(isinstance(provider, ShellPanel) for provider in self._providers.values())
        if known is None and own >= MAX_REGISTERED:
            raise DeskbusError(OVERLOADED, f"A shell may add {MAX_REGISTERED} panels, no more.")
        self._providers[name] = ShellPanel(self._shell, name, title)
        self.changed(name)

    def listed(self) -> list[ListedPanel]:
        return [
            ListedPanel(
                name=name,
                title=provider.title if isinstance(provider, ShellPanel) else name.capitalize(),
                own=isinstance(provider, ShellPanel),
            )
            for name, provider in sorted(self._providers.items())
        ]

    async def perform(self, name: str, query: PanelQuery, action: str, row: str | None) -> str:
        """Does an action that the panel offers at this moment.

        Raises `DeskbusError`: not_found, conflict, or what the panel's service says.
        """
        provider = self._find(name)
        if not _offers(await provider.describe(query), action, row, None):
            raise DeskbusError(CONFLICT, "That is not there any more.", action="Look again.")
        try:
            return await provider.act(action, row, None)
        finally:
            self.changed(name)

    def changed(self, name: str) -> None:
        """Notes that a panel's content is out of date."""
        panel = self._opened(name)
        if panel:
            panel.dirty.set()

    def look(self, panel_id: str, query: PanelQuery) -> None:
        """A person looks for something else; raises `DeskbusError` (not_found)."""
        panel = self._panel(panel_id)
        panel.query = self._spoken(query)
        panel.dirty.set()

    async def act(
        self, panel_id: str, revision: int, action: str, row: str | None, path: Path | None
    ) -> str:
        """Raises `DeskbusError`: not_found, conflict, or what the panel's service says."""
        panel = self._panel(panel_id)
        now = panel.seen.get(panel.revision)
        then = panel.seen.get(revision)
        if now is None or then is None or not (_offers(then, action, row, path)):
            raise DeskbusError(CONFLICT, "The panel has changed since.", action="Look again.")
        if not _offers(now, action, row, path):
            raise DeskbusError(CONFLICT, "That is not there any more.", action="Look again.")
        try:
            return await panel.provider.act(action, row, path)
        finally:
            panel.dirty.set()

    def closed(self, panel_id: str) -> None:
        panel = self._open.pop(panel_id, None)
        if panel:
            panel.scope.cancel()

    def _spoken(self, query: PanelQuery) -> PanelQuery:
        """The query of a window, which is in the shell's language."""
        return structs.replace(query, locale=self._shell.language.code)

    def _find(self, name: str) -> PanelProvider:
        provider = self._providers.get(name)
        if provider is None:
            known = ", ".join(self.names) or "none"
            raise DeskbusError(NOT_FOUND, f"There is no such panel; there are: {known}.")
        return provider

    def _opened(self, name: str) -> _Open | None:
        return next((p for p in self._open.values() if p.provider.name == name), None)

    def _panel(self, panel_id: str) -> _Open:
        panel = self._open.get(panel_id)
        if panel is None:
            raise DeskbusError(NOT_FOUND, "There is no such panel.")
        return panel

    async def _keep_drawn(self, panel: _Open) -> None:
        with panel.scope:
            while True:
                await panel.dirty.wait()
                panel.dirty = anyio.Event()
                content = await _content(panel)
                try:
                    descriptor = panel.next(content)
                    drawn = DrawPanelParams(descriptor=descriptor)
                    self._shell.tell("ui.updatePanel", descriptor.panel, drawn)
                except Exception:  # the next change draws it
                    log.exception("panel.failed", panel=panel.provider.name)
                await anyio.sleep(MIN_REDRAW_S)


async def _content(panel: _Open) -> PanelContent:
    """The present content; where it can't be had, the last one, with the reason."""
    try:
        return await panel.provider.describe(panel.query)
    except DeskbusError as error:
        problem = error
    except Exception:  # the panel says so; others are drawn all the same
        log.exception("panel.failed", panel=panel.provider.name)
        problem = DeskbusError(INTERNAL_ERROR)
    last = panel.seen.get(panel.revision) or PanelContent(
        title=panel.provider.name.capitalize(), columns=NO_COLUMNS
    )
    return structs.replace(last, error=PanelMessage(title=problem.message, text=problem.action))


def _offers(content: PanelContent, action: str, row: str | None, path: Path | None) -> bool:
    """Whether `content` has that button, on that row where one is named, and it saves a file."""
    kinds = content.actions if row is None else content.row_actions
    kind = next((kind for kind in kinds if kind.id == action), None)
    if kind is None or kind.disabled or (path is None) != isinstance(kind.saves, UnsetType):
        return False
    if row is None:
        return True
    places: list[PanelRow | PanelGroup] = [*content.rows, *content.groups]
    return any(place.id == row and action in place.actions for place in places)
