"""`apps.*`."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from deskbus.processes.installed_apps import InstalledApp
from deskbus.processes.manager import ProcessIsolationManager
from deskbus.processes.ports import StateStore
from deskbus.reliability.fair_queue import FairQueue
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.permission_service import PermissionService
from deskbus.storage.clocks import wall_ms
from deskbus.storage.newer_format import NewerFormatError
from deskbus_protocol.apps import (
    AppList,
    AppResult,
    AppStats,
    BeginResult,
    HeartbeatParams,
    InstallParams,
    InstallResult,
    LoadStateResult,
    OneAppParams,
    PrepareForUpdateParams,
    PrepareForUpdateResult,
    SavedState,
    SaveStateParams,
    SaveStateResult,
    SetLimitsParams,
    StatsParams,
    StatsResult,
)
from deskbus_protocol.errors import CONFLICT, INVALID_PARAMS, RATE_LIMITED, DeskbusError
from deskbus_protocol.manifest import Limits
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.permissions import Grant
from deskbus_protocol.wire.rpc import encode
from deskbus_protocol.wording.display import visible

log = structlog.get_logger()

BEATS_IN_A_DEADLINE = 3
"""Heartbeats per deadline: one beat may be late."""

LAUNCHES_AT_ONCE = 16
LAUNCHES_OF_APP = 2
"""Each may wait for another app for as long as that takes to be ready."""

SAVES_AT_ONCE = 4
"""Saves of one app that may wait: the vault writes one by one, and others wait behind them."""


class AppLibraryPort(Protocol):
    """Lets apps in and out; raises `DeskbusError`."""

    async def install(self, manifest: Path) -> InstalledApp: ...

    async def uninstall(self, app: str) -> None: ...

    async def set_limits(self, app: str, limits: Limits) -> None: ...


def handlers(
    apps: ProcessIsolationManager,
    library: AppLibraryPort,
    permissions: PermissionService,
    check: Callable[[str], Awaitable[None]],
) -> Mapping[str, Handler]:
    """`check` raises `DeskbusError` for an app that is not to be started."""
    launches = FairQueue(LAUNCHES_AT_ONCE, of_one=LAUNCHES_OF_APP)

    async def list_apps(_: Call, __: NoParams) -> AppList:
        return AppList(apps=apps.statuses())

    async def launch(call: Call, params: OneAppParams) -> AppResult:
        if call.connection.role == "shell":
            await check(params.app)
            return AppResult(status=await apps.launch(params.app, call.progress))
        # An app learns no more of one that it may not start than that.
        permit = await permissions.require(call.identity, Grant("process.launch", params.app))
        try:
            async with launches.take(call.identity.app):
                with permissions.admitting(permit, refusals=(CONFLICT,)):
                    await check(params.app)
                    status = await apps.launch(params.app, call.progress)
        except DeskbusError as error:
            # Faults of the other app, its files or its secrets are for people alone.
            log.warning("app.not_launched_for_app", app=params.app, reason=error.message)
            words = f"{params.app} could not be started."
            raise DeskbusError(error.kind, words) from None
        return AppResult(status=msgspec.structs.replace(status, detail=UNSET, crash=UNSET))

    async def terminate(_: Call, params: OneAppParams) -> Empty:
        await apps.terminate(params.app)
        return Empty()

    async def restart(call: Call, params: OneAppParams) -> AppResult:
        await check(params.app)
        return AppResult(status=await apps.restart(params.app, call.progress))

    async def install(_: Call, params: InstallParams) -> InstallResult:
        installed = await library.install(Path(params.manifest))
        status = apps.find(installed.manifest.id).status()
        return InstallResult(status=status, hash=installed.hash)

    async def uninstall(_: Call, params: OneAppParams) -> Empty:
        await library.uninstall(params.app)
        return Empty()

    async def stats(_: Call, params: StatsParams) -> StatsResult:
        wanted = None if isinstance(params.app, UnsetType) else params.app
        figures = await apps.stats(wanted)
        return StatsResult(
            enforced=apps.enforced,
            apps=[
                AppStats(
                    app=each.app.spec.app,
                    state=each.app.state,
                    limits=each.app.limit_monitor.limits,
                    restarts=each.app.status().restarts,
                    pid=UNSET if each.app.run is None else each.app.run.pid,
                    uptime=UNSET if each.uptime_ms is None else each.uptime_ms,
                    sample=each.app.limit_monitor.sample or UNSET if each.app.is_alive else UNSET,
                    open_files=UNSET if each.open_files is None else each.open_files,
                )
                for each in figures
            ],
        )

    async def set_limits(_: Call, params: SetLimitsParams) -> Empty:
        await library.set_limits(params.app, params.limits)
        return Empty()

    return {
        "apps.list": list_apps,
        "apps.launch": launch,
        "apps.terminate": terminate,
        "apps.restart": restart,
        "apps.install": install,
        "apps.uninstall": uninstall,
        "apps.stats": stats,
        "apps.setLimits": set_limits,
    }


def update_handlers(apps: ProcessIsolationManager, bundle: Path | None) -> Mapping[str, Handler]:
    """`bundle` is the folder from which this runs, where that is one."""

    async def prepare_for_update(_: Call, params: PrepareForUpdateParams) -> PrepareForUpdateResult:
        wanted = None if isinstance(params.folder, UnsetType) else Path(params.folder)
        if wanted is not None and not wanted.is_absolute():
            raise DeskbusError(
                INVALID_PARAMS, "The folder's path is not absolute.", action="Give all of it."
            )
        folder = bundle if wanted is None else wanted
        ended, held = await apps.prepare_for_update(folder)
        return PrepareForUpdateResult(
            ready=not held.holders,
            ended=ended,
            holders=held.holders,
            unreadable=held.unreadable,
            folder=UNSET if folder is None else str(folder),
        )

    return {"apps.prepareForUpdate": prepare_for_update}


def own_handlers(
    apps: ProcessIsolationManager, state_store: StateStore, turns: FairQueue
) -> Mapping[str, Handler]:
    """Methods that an app calls about itself."""
    saving: Counter[str] = Counter()
    known: set[str] = set()

    async def saved(app: str) -> SavedState | UnsetType:
        async with turns.take(app):
            content = await state_store.load(app)
        return UNSET if content is None else _decode_saved(content)

    async def begin(call: Call, _: NoParams) -> BeginResult:
        app = apps.of_caller(call.identity)
        state = await saved(call.identity.app)
        app.beat(None)
        process = app.spec.process
        deadline_s = 30.0 if process is None else process.heartbeat.deadline_s
        return BeginResult(
            heartbeat=int(deadline_s * 1000 / BEATS_IN_A_DEADLINE),
            restarts=app.status().restarts,
            saved=state,
        )

    async def ready(call: Call, _: NoParams) -> Empty:
        apps.of_caller(call.identity).process_ready()
        return Empty()

    async def heartbeat(call: Call, params: HeartbeatParams) -> Empty:
        trouble = None if isinstance(params.trouble, UnsetType) else visible(params.trouble)
        apps.of_caller(call.identity).beat(trouble)
        return Empty()

    async def save_state(call: Call, params: SaveStateParams) -> SaveStateResult:
        state = SavedState(state=params.state, version=params.version, saved_at=wall_ms())
        app = call.identity.app
        if saving[app] >= SAVES_AT_ONCE:
            raise DeskbusError(
                RATE_LIMITED,
                "This app saves its state faster than it can be written.",
                action="Wait for the answer to one save before the next.",
            )
        saving[app] += 1
        try:
            if app not in known:
                await saved(app)  # A later version's is not saved over.
                known.add(app)
            async with turns.take(app):
                return SaveStateResult(kept=await state_store.save(app, encode(state)))
        finally:
            saving[app] -= 1

    async def load_state(call: Call, _: NoParams) -> LoadStateResult:
        return LoadStateResult(saved=await saved(call.identity.app))

    return {
        "apps.begin": begin,
        "apps.ready": ready,
        "apps.heartbeat": heartbeat,
        "apps.saveState": save_state,
        "apps.loadState": load_state,
    }


class _Format(msgspec.Struct, frozen=True):
    """A later version that keeps the state in another form says so."""

    format: int = 1


def _decode_saved(content: bytes) -> SavedState:
    """Raises `DeskbusError` (newer_format)."""
    try:
        if msgspec.json.decode(content, type=_Format).format == _Format().format:
            return msgspec.json.decode(content, type=SavedState)
    except msgspec.MsgspecError:
        log.error("apps.state_unreadable")  # noqa: TRY400  # it is an app's, and may be secret
    # The vault has proven that a deskbus wrote it, and earlier forms are known.
    raise NewerFormatError("this app's saved state").to_wire()
