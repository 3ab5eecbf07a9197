"""Apps that were installed, and limits that were set: kept across restarts of the backend."""

from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import structlog
from msgspec import UnsetType

from deskbus.processes.runtime.environment import is_refused
from deskbus.processes.spec import MAIN_CLIENT
from deskbus.storage import durable_files
from deskbus.storage.clocks import wall_ms
from deskbus.storage.handwritten_file import HandwrittenFile, HandwrittenFileError
from deskbus.storage.newer_format import NewerFormatError, refuse_newer
from deskbus.storage.regular_file import read_regular_file
from deskbus_protocol.errors import DEGRADED, INVALID_PARAMS, NOT_FOUND, DeskbusError
from deskbus_protocol.manifest import Limits, Manifest

FILE_NAME = "apps.json"
VERSION = 1
MAX_MANIFEST_BYTES = 256 * 1024

log = structlog.get_logger()

WrittenManifest = HandwrittenFile[Manifest]

Inspect = Callable[[WrittenManifest, Manifest, Path], str]
"""Gives the content hash of an app in a folder; raises `HandwrittenFileError` for a refused one."""


class InstalledApp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`folder` is the one that the manifest is in; `hash` is SHA-256, in hex, of the content."""

    manifest: Manifest
    folder: str
    hash: str
    installed_at: int


class _InstalledFile(msgspec.Struct, kw_only=True):
    version: int = VERSION
    apps: list[InstalledApp] = []
    limits: dict[str, Limits] = {}


class InstalledApps:
    """The record of them, in a file of this user alone. Changes are on disk when told."""

    def __init__(self, data_dir: Path, inspect: Inspect) -> None:
        self._path = data_dir / FILE_NAME
        self._inspect = inspect
        self._content = _InstalledFile()
        self._turn = anyio.Lock()
        self._newer: NewerFormatError | None = None
        self.problem: str | None = None

    def load(self) -> None:
        """Blocks. A file that can't be read is set aside: then nothing is installed.

        Nor is anything where a later version wrote the file, which is then left as it is.
        """
        try:
            content = self._path.read_bytes()
            refuse_newer(content, VERSION, "the list of installed apps")
            self._content = msgspec.json.decode(content, type=_InstalledFile)
        except FileNotFoundError:
            return
        except NewerFormatError as error:
            self._newer = error
            self.problem = error.words
            log.error("apps.newer", found=error.what)  # noqa: TRY400
        except (OSError, msgspec.MsgspecError) as error:
            self.problem = f"{FILE_NAME} could not be read; install the apps again"
            log.error("apps.unreadable", reason=type(error).__name__)  # noqa: TRY400
            if self._path.exists():
                self._path.replace(self._path.with_suffix(".damaged"))

    @property
    def apps(self) -> list[InstalledApp]:
        return list(self._content.apps)

    def limits_of(self, app: str) -> Limits | None:
        """Limits that a person set for it, if any."""
        return self._content.limits.get(app)

    def find(self, app: str) -> InstalledApp | None:
        return next((each for each in self._content.apps if each.manifest.id == app), None)

    def require(self, app: str) -> InstalledApp:
        """Raises `DeskbusError` (not_found)."""
        found = self.find(app)
        if found is None:
            raise DeskbusError(
                NOT_FOUND,
                f"{app} was not installed.",
                action="An app of the configuration is removed by taking it out there.",
            )
        return found

    async def read(self, path: Path) -> InstalledApp:
        """The manifest in a file, checked; raises `DeskbusError` (invalid_params)."""
        return await anyio.to_thread.run_sync(self._read, path)

    async def add(self, app: InstalledApp) -> None:
        """Raises `DeskbusError` (degraded, newer_format) where it can't be written; then it is not
        installed.
        """
        others = [each for each in self._content.apps if each.manifest.id != app.manifest.id]
        await self._save(_InstalledFile(apps=[*others, app], limits=self._content.limits))

    async def remove(self, app: str) -> None:
        """Raises `DeskbusError`: not_found, degraded."""
        self.require(app)
        limits = {name: each for name, each in self._content.limits.items() if name != app}
        apps = [each for each in self._content.apps if each.manifest.id != app]
        await self._save(_InstalledFile(apps=apps, limits=limits))

    async def set_limits(self, app: str, limits: Limits) -> None:
        """Raises `DeskbusError` (degraded)."""
        content = _InstalledFile(
            apps=self._content.apps, limits={**self._content.limits, app: limits}
        )
        await self._save(content)

    def _read(self, path: Path) -> InstalledApp:
        if not path.is_absolute():
            raise DeskbusError(INVALID_PARAMS, "The manifest's path must be absolute.")
        try:
            content = read_regular_file(path, MAX_MANIFEST_BYTES)
            written = WrittenManifest(path, Manifest)
            manifest = written.read_json(content)
            check_manifest(written, manifest)
            digest = self._inspect(written, manifest, path.parent)
        except OSError as error:
            words = f"The manifest, or a file that it names, can't be read: {error.strerror}."
            raise DeskbusError(INVALID_PARAMS, words) from None
        except HandwrittenFileError as error:
            raise DeskbusError(INVALID_PARAMS, error.cause, action=error.action) from None
        return InstalledApp(
            manifest=manifest,
            folder=str(path.parent.resolve()),
            hash=digest,
            installed_at=wall_ms(),
        )

    async def _save(self, content: _InstalledFile) -> None:
        if self._newer is not None:
            raise self._newer.to_wire()
        async with self._turn:
            try:
                await anyio.to_thread.run_sync(
                    durable_files.write_whole, self._path, msgspec.json.encode(content)
                )
            except OSError as error:
                log.error("apps.not_written", reason=error.strerror)  # noqa: TRY400
                raise DeskbusError(DEGRADED, "The list of apps can't be written.") from None
            self._content = content
            self.problem = None


def check_manifest(written: WrittenManifest, manifest: Manifest) -> None:
    """Checks what a schema can't express; raises `HandwrittenFileError`."""
    names = [window.name for window in manifest.windows]
    for at, name in enumerate(names):
        if name in names[:at]:
            cause = f"two windows have one name, {name}"
            raise written.error(f"windows[{at}].name", cause, "Give each window a name of its own.")
    if isinstance(manifest.process, UnsetType):
        if not manifest.windows:
            cause = "this app has neither a window nor a process"
            raise written.error("", cause, "Add windows, a process, or both.")
        return
    if MAIN_CLIENT in names:
        raise written.error(
            f"windows[{names.index(MAIN_CLIENT)}].name",
            f'a window may not be called "{MAIN_CLIENT}": that is the app\'s process',
            "Give the window another name.",
        )
    refused = [name for name in manifest.process.env if is_refused(name, administered=False)]
    if refused:
        raise written.error(
            f"process.env.{refused[0]}",
            f"a manifest may not set {', '.join(refused)}",
            "Name the app's own variables APP_…: others might make a program another one.",
        )
