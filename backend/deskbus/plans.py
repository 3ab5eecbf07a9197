"""From the configuration to what the services take."""

from pathlib import Path

from msgspec import UNSET, UnsetType

from deskbus.audit.logger import AuditSettings
from deskbus.audit.retention import Retention as AuditRetention
from deskbus.config import MESSAGE_FOLDER, AuditConfig, Settings
from deskbus.handlers.sensitive import SensitiveTopics
from deskbus.persistence.persistence import MessagePersistence
from deskbus.persistence.retention import Retention
from deskbus.processes.plan import AppPlan, ProgramPlan
from deskbus.processes.spawn import Program
from deskbus.ui.windows import absolute_url
from deskbus.vault.vault import Vault
from deskbus_protocol.manifest import Manifest, ProgramSpec, WindowSpec
from deskbus_protocol.ui import WindowDescriptor


def plan_of(app: Manifest, folder: Path) -> AppPlan:
    """`folder` is the one that the manifest's paths are taken from."""
    return AppPlan(
        app.id,
        app.name,
        windows=tuple(_window(app, window, folder) for window in app.windows),
        process=None if isinstance(app.process, UnsetType) else _process(app.process, folder),
        limits=app.limits,
        restart=app.restart,
    )


def audit_of(config: AuditConfig) -> AuditSettings:
    return AuditSettings(
        file_bytes=config.file_bytes,
        retention=AuditRetention(
            max_age_ms=int(config.max_age_days * 24 * 3600 * 1000), max_bytes=config.max_bytes
        ),
        append_only=config.append_only,
    )


def has_keychain() -> bool:
    """Blocks; no person is asked."""
    # Imported late: a start needs no keychain.
    from deskbus.vault.keychain import find_keychain

    return find_keychain() is not None


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
        without_vault=wanted.sensitive_without_vault,
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
        background_color=window.background_color,
        root=UNSET if "://" in window.url else folder.resolve().as_uri(),
    )


def _process(spec: ProgramSpec, folder: Path) -> ProgramPlan:
    program = Program(
        kind=spec.kind,
        entry=spec.entry,
        args=tuple(spec.args),
        cwd=folder / spec.cwd,
        env=spec.env,
    )
    return ProgramPlan(
        program,
        ready=spec.ready,
        ready_within_s=spec.ready_within_s,
        stop_within_s=spec.stop_within_s,
        heartbeat=spec.heartbeat,
    )
