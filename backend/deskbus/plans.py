"""From the configuration to what the services take."""

import sys
from pathlib import Path

from msgspec import UNSET, UnsetType

from deskbus.config import MESSAGE_FOLDER, AppConfig, Settings
from deskbus.handlers.sensitive import SensitiveTopics
from deskbus.persistence.persistence import MessagePersistence
from deskbus.persistence.retention import Retention
from deskbus.processes.manager import AppPlan
from deskbus.processes.spawn import Program
from deskbus.security.manager import AppRules
from deskbus.ui.windows import absolute_url
from deskbus.vault.vault import Vault
from deskbus_protocol.manifest import Manifest, ProgramKind, ProgramSpec, WindowSpec
from deskbus_protocol.ui import WindowDescriptor

RUNNERS: dict[ProgramKind, tuple[str, ...]] = {
    "executable": (),
    "python": (sys.executable,),
    "node": ("node",),
    "utility": (),
}
"""What stands before `entry` on the command line."""


def rules_of(app: AppConfig) -> AppRules:
    return AppRules(tuple(app.grants), tuple(app.declares))


def plan_of(app: Manifest, folder: Path) -> AppPlan:
    """`folder` is the one that the manifest's paths are taken from."""
    return AppPlan(
        app.id,
        app.name,
        windows=tuple(_window(app, window, folder) for window in app.windows),
        program=None if isinstance(app.process, UnsetType) else _program(app.process, folder),
    )


def persistence_of(settings: Settings, vault: Vault) -> MessagePersistence | None:
    wanted = settings.config.persistence
    if not wanted.enabled:
        return None
    retention = Retention(
        max_segments=wanted.max_segments,
        max_age_ms=int(wanted.max_age_days * 24 * 3600 * 1000),
        max_bytes=wanted.max_bytes,
    )
    return MessagePersistence(
        settings.data_dir / MESSAGE_FOLDER,
        retention=retention,
        compress=wanted.compress,
        sealer=SensitiveTopics(vault, wanted.sensitive) if wanted.sensitive else None,
    )


def _window(app: Manifest, window: WindowSpec, folder: Path) -> WindowDescriptor:
    return WindowDescriptor(
        window=f"{app.id}/{window.name}",
        app=app.id,
        client=window.name,
        title=app.name if window.title is UNSET else window.title,
        url=absolute_url(window.url, folder),
        width=window.width,
        height=window.height,
        x=window.x,
        y=window.y,
    )


def _program(program: ProgramSpec, folder: Path) -> Program:
    cwd = folder / program.cwd
    return Program(
        command=(*RUNNERS[program.kind], program.entry, *program.args), cwd=cwd, env=program.env
    )
