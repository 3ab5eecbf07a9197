"""AccessControl: the parts of security, joined with vault, dialogs and configuration."""

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import structlog
from msgspec import UNSET, UnsetType

import deskbus
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.component_settings import check_files
from deskbus.components.user_interface import UserInterface
from deskbus.config import VAULT_FOLDER
from deskbus.contracts.listeners import Listeners
from deskbus.languages.language import Language
from deskbus.languages.permission_words import permission_statement, scope_words
from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.reliability.loops import Loop
from deskbus.reliability.os_signals import receive_signals
from deskbus.security.canonical_scope import resolve
from deskbus.security.confined_files import ConfinedFiles
from deskbus.security.decisions.decision_store import DecisionStore
from deskbus.security.decisions.decision_table import DAY_MS, DecisionTable
from deskbus.security.decisions.permission_settings import PermissionSettings
from deskbus.security.identity.code_identity import UNREADABLE, CodeIdentity, identify
from deskbus.security.model.effective_permissions import AppRules
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.permission_checker import ConsentMode
from deskbus.security.permission_request import ConsentAnswer, PermissionRequest
from deskbus.security.policy.policy_file import FILE_NAME, PolicyFile
from deskbus.security.policy.policy_service import PolicyService
from deskbus.security.service import SecurityManager
from deskbus.storage.awake_clock import tick_every
from deskbus.storage.clocks import SteadyClock
from deskbus.storage.handwritten_file import HandwrittenFile, near
from deskbus.ui.consent_dialogs import Asked
from deskbus.ui.panels.permissions_panel import PermissionsPanel
from deskbus.vault.service import SecretSlot, VaultService
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import CONFLICT, INVALID_PARAMS, PERMISSION_DENIED, DeskbusError
from deskbus_protocol.manifest import Manifest
from deskbus_protocol.method import TraceContext
from deskbus_protocol.permissions import Grant, Holds, PermissionsChangedParams
from deskbus_protocol.secrets import VaultStatus
from deskbus_protocol.session import RESERVED_APPS, is_reserved
from deskbus_protocol.ui import AppIdentity, Remember
from deskbus_protocol.wording.display import look_alike, visible

DECISIONS_WITHIN_S = 2.0
"""The keychain may wait for a person; nobody else does. Its rules count when it comes."""

READ_AT_ONCE = 2
"""Apps whose files are read at one time, so that a large one does not hold the others up."""

TICK_S = 0.1
"""How late a decision's end is noticed."""

SAVE_AGAIN_AFTER_S = 60.0

MONTH_MS = 30 * DAY_MS

HOLDS: dict[Remember, tuple[Holds, int | None]] = {
    "once": ("once", None),
    "session": ("session", None),
    "month": ("always", MONTH_MS),
    "always": ("always", None),
}
"""The meaning of each answer: how long it holds, and its end in milliseconds from now."""

log = structlog.get_logger()


class AccessControl:
    """Knows the manifests; `changed` tells of each app whose permissions have changed."""

    def __init__(
        self,
        run: BackendRun,
        mode: ConsentMode,
        vault: VaultService,
        user_interface: UserInterface,
        auditing: Auditing,
    ) -> None:
        self._settings = settings = run.settings
        self._user_interface = user_interface
        self._auditing = auditing
        self._loops = run.loops
        self.changed = Listeners[str]()
        self.manifest_declared = Listeners[tuple[Manifest, Path]]()
        self.manifest_withdrawn = Listeners[str]()
        trail = auditing.trail
        self._manifests: dict[str, tuple[Manifest, Path, bool]] = {}
        self._tasks: BackgroundTasks | None = None
        self._opened = anyio.Event()
        self._read_due = anyio.Event()
        self._catalogue = Catalogue(spec.entry() for spec in settings.config.permissions)
        self._rules = GrantMatching(self._catalogue)
        clock = SteadyClock()
        decisions = DecisionTable()
        self.store = DecisionStore(
            settings.data_dir,
            SecretSlot(vault, "decisions", "remembered"),
            decisions,
            clock,
            self._copy_vault,
        )
        self.security = SecurityManager(
            apps={app.id: self._rules_of(app, app.grants) for app in settings.config.apps},
            catalogue=self._catalogue,
            decisions=decisions,
            store=self.store,
            prompt=self._prompt,
            mode=mode,
            trail=trail,
            clock=clock,
            on_changed=self.changed,
        )
        self.changed.add(self._tell_shell)
        self.settings = PermissionSettings(self.security, decisions, self.store, trail, clock)
        user_interface.panels.add(PermissionsPanel(self.settings))
        policy = self._policy_file()
        self.files = ConfinedFiles(
            closed=(settings.data_dir, settings.runtime_dir),
            sealed=(settings.folder, policy.path, Path(deskbus.__file__).parent),
        )
        self.policies = PolicyService(policy, self.security.apply, trail)
        for app in settings.config.apps:
            self._manifests[app.id] = (app, settings.folder, False)

    def follow_manifests(
        self, declared: Callable[[Manifest, Path], None], withdrawn: Callable[[str], None]
    ) -> None:
        """Tells of each app that there is, of each that comes, and of each that goes."""
        for manifest, folder, _ in self._manifests.values():
            declared(manifest, folder)
        self.manifest_declared.add(lambda known: declared(*known))
        self.manifest_withdrawn.add(withdrawn)

    def shell_came(self, electron: int) -> None:
        """Offers the permissions that the shell's version of Electron enforces."""
        self._catalogue.shell_came(electron)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The policy applies from its first moment on."""
        await anyio.to_thread.run_sync(self.store.set_old_file_aside)
        await self.policies.start()
        loops: list[Loop] = [
            self._catch_up_again,
            partial(tick_every, TICK_S, self.security.tick),
            partial(self._auditing.compare_grants, self.settings.configured()),
            self._open,
            self._follow_vault,
        ]
        # In a terminal it says that the terminal is gone, and ends the backend as ever.
        if sys.platform != "win32" and not os.isatty(0):
            loops.append(partial(self._reload_on, signal.SIGHUP))
        try:
            async with self.security.running(), self._loops.running(*loops) as self._tasks:
                yield
        finally:
            self._tasks = None

    async def settle(self) -> None:
        """Returns when decisions of earlier runs are known, or have been waited for too long."""
        with anyio.move_on_after(DECISIONS_WITHIN_S):
            await self._opened.wait()

    def vault_changed(self, status: VaultStatus) -> None:
        if status.state == "unlocked":
            self._read_due.set()

    async def _follow_vault(self) -> None:
        while True:
            await self._read_due.wait()
            self._read_due = anyio.Event()
            try:
                await self._read_decisions()
            except Exception:  # raised again; they are read when this is begun anew
                self._read_due.set()
                raise

    async def _open(self) -> None:
        """Finds out what each app consists of, then what was decided about it."""
        turns = anyio.CapacityLimiter(READ_AT_ONCE)

        async def read(app: str) -> None:
            async with turns:
                await self.identify(app)

        async with anyio.create_task_group() as tasks:
            for app in list(self._manifests):
                tasks.start_soon(read, app)
        await self._read_decisions()
        self._opened.set()

    async def _read_decisions(self) -> None:
        """The vault can be read, perhaps: decisions of earlier runs count from here on."""
        if await self.store.open():
            self.security.decisions_known()
        await self._catch_up()

    def _tell_shell(self, app: str) -> None:
        changed = PermissionsChangedParams(app=app, epoch=self.security.checker.epoch)
        self._user_interface.shell.tell("permissions.changed", app, changed)
        self._user_interface.panels.changed("permissions")

    async def identify(self, app: str) -> None:
        """Reads the app's files anew: one that has changed has to ask again, and one whose files
        can't be read, whatever the reason, is denied everything.
        """
        known = self._manifests.get(app)
        if known is None:
            return
        identity = await anyio.to_thread.run_sync(_identity_of, *known)
        rules = self.security.apps.rules(app)
        if rules is not None and self._manifests.get(app) == known:
            self.security.apps.register(app, rules, identity)

    async def check_launch(self, app: str) -> None:
        """Raises `DeskbusError` (permission_denied) for an app that is not what it says it is."""
        await self.identify(app)
        problem = self.security.apps.identity(app).problem
        if problem is not None:
            raise DeskbusError(
                PERMISSION_DENIED,
                f"{app} is not started: {problem}.",
                action="Get the app from its publisher again.",
            )

    def inspect(self, written: HandwrittenFile[Manifest], manifest: Manifest, folder: Path) -> str:
        """The content hash of an app to be installed; blocks. Raises `HandwrittenFileError`."""
        for at, grant in enumerate(manifest.declares):
            if grant.permission not in self._catalogue:
                raise written.error(
                    f"declares[{at}].permission",
                    f"there is no permission {grant.permission}",
                    near(grant.permission, self._catalogue) or "docs/permissions.md lists them.",
                )
        check_files(manifest, folder, written.error)
        identity = identify(manifest, folder, owns_folder=True)
        if identity.problem is not None:
            signed = not isinstance(manifest.signature, UnsetType)
            place = "signature" if signed else "publisher_key"
            raise written.error(
                place if identity.content else "",
                f"{manifest.id} is refused: {identity.problem}",
                "Get the app from its publisher again, or sign it: deskbus publisher sign.",
            )
        return identity.content

    def admit(self, manifest: Manifest) -> None:
        """Raises `DeskbusError`: conflict for an id that looks like another, invalid_params."""
        app = manifest.id
        other = look_alike(app, self._manifests)
        if other is not None or is_reserved(app):
            words = f"The id {app} looks like {other or RESERVED_APPS}."
            raise DeskbusError(CONFLICT, words, action="Choose an id that is not mistaken.")
        for grant in manifest.declares:
            if grant.permission not in self._catalogue:
                words = f"{app} declares {grant.permission}, which is no permission here."
                raise DeskbusError(INVALID_PARAMS, words)

    def declare(self, manifest: Manifest, folder: Path) -> None:
        """Takes in an app that the configuration does not have; it is granted nothing."""
        app = manifest.id
        self._manifests[app] = (manifest, folder, True)
        self.security.apps.register(app, self._rules_of(manifest, []), None)
        self.manifest_declared((manifest, folder))
        if self._tasks is not None:
            self._tasks.start(self.identify, app)

    def unasked_words(self, language: Language, app: str, wanted: Grant) -> str:
        """The refusal of a request that there was no shell to ask about, in words for a person."""
        entry = self._catalogue[wanted.permission]
        known = self._manifests.get(app)
        name = visible(app if known is None else known[0].name)
        statement = permission_statement(language, entry, name)
        request = f"{statement} {scope_words(language, entry, wanted.scope)}."
        return language.text("desktop.refused", request=request)

    def declare_from_directory(self, manifest: Manifest, folder: Path, grants: list[Grant]) -> None:
        """Takes in an app of an app directory, with what the configuration gives such apps.

        An app of the configuration keeps what it has, and gets this besides.
        """
        app = manifest.id
        rules = self._rules_of(manifest, grants)
        known = self.security.apps.rules(app)
        if app in self._manifests and known is not None:
            grown = known._replace(
                grants=(*known.grants, *rules.grants), declares=(*known.declares, *rules.declares)
            )
            self.security.apps.change_rules(app, grown)
            return
        self._manifests[app] = (manifest, folder, False)
        self.security.apps.register(app, rules, None)
        if self._tasks is not None:
            self._tasks.start(self.identify, app)

    def withdraw(self, app: str) -> None:
        """Removes an app; decisions about it count again only if the same app returns."""
        self._manifests.pop(app, None)
        self.manifest_withdrawn(app)
        self.security.apps.unregister(app)

    async def _catch_up_again(self) -> None:
        while True:
            await anyio.sleep(SAVE_AGAIN_AFTER_S)
            await self._catch_up()

    async def _catch_up(self) -> None:
        """Saves decisions that could not be saved when they were made."""
        if self.store.is_behind:
            await self.store.save_in_time()

    async def _reload_on(self, number: signal.Signals) -> None:
        with receive_signals(number) as signals:
            async for _ in signals:
                try:
                    await self.policies.reload()
                except DeskbusError as error:
                    log.error("policy.not_reloaded", reason=error.kind.name)  # noqa: TRY400

    def _rules_of(self, app: Manifest, grants: list[Grant]) -> AppRules:
        return AppRules(
            grants=self._canonical(app.id, grants),
            declares=self._canonical(app.id, app.declares),
            name=app.name,
            publisher=app.publisher,
            signed=not isinstance(app.publisher_key, UnsetType),
        )

    def _canonical(self, app: str, grants: list[Grant]) -> tuple[Grant, ...]:
        found = []
        for grant in grants:
            try:
                wanted = resolve(self._catalogue, grant)
                self._rules.check(wanted)
            except DeskbusError as error:
                log.warning(
                    "permission.not_offered",
                    app=app,
                    permission=grant.permission,
                    scope=grant.scope,
                    reason=error.message,
                )
            else:
                found.append(wanted)
        return tuple(found)

    def _policy_file(self) -> PolicyFile:
        named = self._settings.config.policy.file
        if isinstance(named, UnsetType):
            path = self._settings.folder / FILE_NAME
            return PolicyFile(path, self._catalogue, required=False)
        return PolicyFile(self._settings.folder / named, self._catalogue, required=True)

    async def _prompt(self, request: PermissionRequest) -> ConsentAnswer:
        identity = request.identity
        known = self._manifests.get(identity.app)
        manifest = None if known is None else known[0]
        entry = self._catalogue[request.grant.permission]
        language = self._user_interface.shell.language
        unknown = language.text("consent.publisher.unknown")
        origin = visible(request.origin or "")
        outcome = await self._user_interface.dialogs.ask(
            Asked(
                identity=AppIdentity(
                    app=identity.app,
                    name=manifest.name if manifest else identity.app,
                    publisher=visible(manifest.publisher) if manifest else unknown,
                    origin=origin or _origin_of(manifest, identity.client, language),
                    verified=request.verified,
                ),
                entry=entry,
                scope=request.grant.scope,
                reason=request.reason,
                may_remember=request.may_remember,
                prompt=request.prompt,
                trace=(
                    UNSET
                    if request.trace.span is None
                    else TraceContext(traceparent=request.trace.span.traceparent)
                ),
            )
        )
        holds, expires_ms = HOLDS[outcome.remember]
        if outcome.choice == "deny" and holds == "session":
            # A person who says no is asked again, or never: a denial has no length between.
            holds = "once"
        return ConsentAnswer(outcome.choice, holds, expires_ms)

    async def _copy_vault(self) -> str:
        """Keeps the vault as it was found, still sealed, beside the one that is used."""
        return await anyio.to_thread.run_sync(_copy_aside, self._settings.data_dir / VAULT_FOLDER)


def _identity_of(manifest: Manifest, folder: Path, owns_folder: bool) -> CodeIdentity:
    """Blocks."""
    try:
        return identify(manifest, folder, owns_folder)
    except Exception:  # one that is not answered is waited for by every question about the app
        log.exception("app.not_identified", app=manifest.id)
        return UNREADABLE


def _copy_aside(folder: Path) -> str:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.damaged-{number}")).exists():
        number += 1
    try:
        shutil.copytree(folder, aside, symlinks=True)
    except (OSError, shutil.Error):
        log.exception("vault.could_not_copy")
    return aside.name


def _origin_of(manifest: Manifest | None, client: str, language: Language) -> str:
    """Where what asks is from, in words: the address of the window's page, or this computer."""
    windows = [] if manifest is None else [w for w in manifest.windows if w.name == client]
    for window in windows:
        parts = urlsplit(window.url)
        if parts.scheme in ("http", "https"):
            return visible(f"{parts.scheme}://{parts.netloc}")
    return language.text("consent.origin.page" if windows else "consent.origin.program")
