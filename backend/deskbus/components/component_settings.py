"""The settings of each service, made from the configuration."""

import shutil
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType

from deskbus.audit.logger import AuditSettings
from deskbus.audit.store.retention import AuditRetention
from deskbus.components.messaging.sensitive_topics import SensitiveTopics
from deskbus.config import (
    MESSAGE_FOLDER,
    AuditConfig,
    Config,
    ConfigFile,
    Settings,
    archive_of,
)
from deskbus.observability.logs.log_file import RotatedLogFile
from deskbus.observability.logs.log_pipeline import LogPipeline
from deskbus.persistence.log.retention import LogRetention
from deskbus.persistence.service import MessagePersistence
from deskbus.processes.runtime.spawn import Program
from deskbus.processes.spec import AppSpec, ProcessSpec
from deskbus.security.canonical_scope import resolve
from deskbus.security.model.grant_matching import GrantMatching
from deskbus.security.model.scope_grammar import canonical_origin
from deskbus.storage.clocks import ClockMs
from deskbus.ui.windows import absolute_url
from deskbus.vault.vault import Vault
from deskbus_protocol.catalogue import Catalogue
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.fdc3 import Version
from deskbus_protocol.manifest import Manifest, ProgramSpec, WindowSpec
from deskbus_protocol.ui import WindowDescriptor


def spec_of(
    app: Manifest, folder: Path, *, administered: bool, fdc3: Version | UnsetType = UNSET
) -> AppSpec:
    """`folder` is the one that the manifest's paths are taken from.

    `administered` says that the manifest is the configuration's own; `fdc3` is the version of the
    standard that its pages have.
    """
    return AppSpec(
        app.id,
        app.name,
        windows=tuple(_window(app, window, folder, fdc3) for window in app.windows),
        process=(
            None
            if isinstance(app.process, UnsetType)
            else _process(app.process, folder, administered=administered)
        ),
        limits=app.limits,
        restart=app.restart,
    )


def check_apps(file: ConfigFile, config: Config) -> None:
    """Checks what the services would refuse only later: scopes, and missing files.

    Raises `ConfigError`.
    """
    catalogue = Catalogue(spec.entry() for spec in config.permissions)
    rules = GrantMatching(catalogue)
    folder = file.path.resolve().parent
    _check_web(file, config)
    for number, app in enumerate(config.apps):
        place = f"apps[{number}]"
        for key in ("declares", "grants"):
            for at, grant in enumerate(getattr(app, key)):
                try:
                    known = resolve(catalogue, grant)
                    if catalogue.enforced(grant.permission):
                        rules.check(known)
                except DeskbusError as error:
                    raise file.error(
                        f"{place}.{key}[{at}].scope",
                        f"{app.id}: {grant.permission} {grant.scope}: {error.message}",
                        error.action,
                        word=grant.scope,
                    ) from None
        check_files(app, folder, file.error, f"{place}.")


class ErrorAt(Protocol):
    """Makes an error that names a file, and the line of a place in it."""

    def __call__(self, place: str, cause: str, action: str, *, word: str = "") -> Exception: ...


def check_files(app: Manifest, folder: Path, error_at: ErrorAt, place: str = "") -> None:
    """Raises what `error_at` makes for a page or a program that is not there.

    `place` is how the app's keys begin in the file that it is written in.
    """
    for at, window in enumerate(app.windows):
        page = _page_of(window.url, folder)
        if page is not None and not page.is_file():
            where = f"{place}windows[{at}].url"
            raise error_at(where, *_absent(app, "the page", page), word=window.url)
    if not isinstance(app.process, UnsetType):
        _check_program(app, app.process, folder, error_at, place)


def _check_web(file: ConfigFile, config: Config) -> None:
    if not isinstance(config.web, UnsetType):
        for number, each in enumerate(config.web.origins):
            _check_origins(file, f"web.origins[{number}].origin", [each.origin])
    for number, app in enumerate(config.apps):
        if not isinstance(app.web, UnsetType):
            for key in ("origins", "scripts", "connect"):
                _check_origins(file, f"apps[{number}].web.{key}", getattr(app.web, key))


def _check_origins(file: ConfigFile, place: str, origins: list[str]) -> None:
    for origin in origins:
        known = canonical_origin(origin)
        if known != origin:
            cause = f"no browser names an origin {origin}"
            action = f"Write {known}" if known else "Write an address in full, such as 127.0.0.1."
            raise file.error(place, cause, action, word=origin)


def _check_program(
    app: Manifest, process: ProgramSpec, folder: Path, error_at: ErrorAt, place: str
) -> None:
    entry = process.entry
    cwd = folder / process.cwd
    if not cwd.is_dir():
        raise error_at(f"{place}process.cwd", *_absent(app, "the working folder", cwd))
    if process.kind == "executable" and Path(entry).name == entry:
        if shutil.which(entry) is None:
            raise error_at(
                f"{place}process.entry",
                f"{app.id}: there is no program {entry} on PATH",
                f"Install it, or write ./{entry} for a file beside this one.",
                word=entry,
            )
    elif not entry.startswith("-") and not (cwd / entry).is_file():
        where = f"{place}process.entry"
        raise error_at(where, *_absent(app, "the program", cwd / entry), word=entry)


def _absent(app: Manifest, what: str, path: Path) -> tuple[str, str]:
    archive = archive_of(path)
    if archive is not None:
        where = f"{archive.name}, an archive that only Electron can read"
        return (
            f"{app.id}: {what} {path} lies inside {where}",
            "Keep it outside: among Electron Builder's extraResources, or its asarUnpack.",
        )
    words = "Paths are taken from the folder of this file; correct the path, or add what it names."
    return f"{app.id}: {what} {path} is not there", words


def _page_of(url: str, folder: Path) -> Path | None:
    """The file of a page that is not loaded from the network."""
    # It brings the whole of HTTP with it, which a start without pages does not need.
    from urllib.request import url2pathname

    address = urlsplit(absolute_url(url.partition("?")[0].partition("#")[0], folder))
    return Path(url2pathname(address.path)) if address.scheme == "file" else None


def apply_logging(logs: LogPipeline, settings: Settings) -> None:
    """Files lie in the data folder, unless the path is absolute."""
    wanted = settings.config.logging
    for component, level in wanted.levels.items():
        logs.levels.set(level, component)
    if not isinstance(wanted.file, UnsetType):
        file = RotatedLogFile(
            settings.data_dir / wanted.file, max_bytes=wanted.max_bytes, files=wanted.files
        )
        logs.write_to(file, readable=wanted.form == "console")


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
    from deskbus.vault.keys.keychain import find_keychain

    return find_keychain() is not None


def persistence_of(
    settings: Settings, vault: Vault, clock_ms: ClockMs
) -> MessagePersistence | None:
    wanted = settings.config.persistence
    if not wanted.enabled:
        return None
    retention = LogRetention(
        max_segments=wanted.max_segments,
        max_age_ms=int(wanted.max_age_days * 24 * 3600 * 1000),
        max_bytes=wanted.max_bytes,
    )
    return MessagePersistence(
        settings.data_dir / MESSAGE_FOLDER,
        retention=retention,
        clock_ms=clock_ms,
        compress=wanted.compress,
        sealer=SensitiveTopics(vault, wanted.sensitive) if wanted.sensitive else None,
        without_vault=wanted.sensitive_without_vault,
    )


def _window(
    app: Manifest, window: WindowSpec, folder: Path, fdc3: Version | UnsetType
) -> WindowDescriptor:
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
        fdc3=fdc3,
    )


def _process(spec: ProgramSpec, folder: Path, *, administered: bool) -> ProcessSpec:
    program = Program(
        kind=spec.kind,
        entry=spec.entry,
        args=tuple(spec.args),
        cwd=folder / spec.cwd,
        env=spec.env,
        administered=administered,
    )
    return ProcessSpec(
        program,
        ready=spec.ready,
        ready_within_s=spec.ready_within_s,
        stop_within_s=spec.stop_within_s,
        heartbeat=spec.heartbeat,
    )
