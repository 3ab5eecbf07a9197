"""SupportReports: the report for support, with nothing secret in it.

The texts of others (apps' logs, words in records) may have secrets in them. So every secret of the
vault is looked for in all of them; where the vault can't be asked, those texts are left out.
"""

import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec

from deskbus import __version__
from deskbus.components.apps.app_processes import LOG_FOLDER
from deskbus.components.audit.late_audit_reader import LateAuditReader
from deskbus.config import REFERENCE, Settings
from deskbus.observability.logs.log_pipeline import PRIVATE
from deskbus.observability.logs.secret_filter import HIDDEN, SecretFilter
from deskbus.observability.metrics.exposition import MetricsExposition
from deskbus.vault.service import VaultService
from deskbus_protocol.apps import AppStatus
from deskbus_protocol.audit import AuditQueryParams
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.health import HealthResult
from deskbus_protocol.support import SupportPart, SupportReport

LOG_BYTES = 256 * 1024
"""Bytes from the end of each of the backend's own logs."""

APP_LOG_BYTES = 64 * 1024
MAX_APP_LOGS = 20
MAX_CRASHES = 50
MAX_CHARACTERS = 3 * 1024 * 1024
"""Limit of all parts together, which is less than a frame takes."""

ALL_HIDDEN = frozenset({"env", "headers"})
"""Tables of the configuration whose every value may be a credential."""

PRIVATE_KEYS = PRIVATE | {"tls_key_password", "user"}


class SupportReports:
    def __init__(
        self,
        settings: Settings,
        vault: VaultService,
        reader: LateAuditReader,
        metrics: MetricsExposition,
        *,
        health: Callable[[], HealthResult],
        apps: Callable[[], list[AppStatus]],
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._reader = reader
        self._metrics = metrics
        self._health = health
        self._apps = apps

    async def collect(self) -> SupportReport:
        """Raises nothing for a part that can't be had; it says so."""
        secrets, left_out = SecretFilter(), list[str]()
        knows_secrets = await self._learn(secrets)
        config = msgspec.to_builtins(self._settings.config)
        texts = {
            "versions.json": _pretty(versions()),
            "configuration.json": _pretty(without_credentials(config)),
            "health.json": _pretty(msgspec.to_builtins(self._health())),
        }
        if self._metrics.has_text():
            texts["metrics.txt"] = self._metrics.text("prometheus")[1].decode()
        else:
            left_out.append("Metrics are left out: pip install 'deskbus[metrics]' writes them.")
        if knows_secrets:
            texts["apps.json"] = _pretty(msgspec.to_builtins(self._apps()))
            texts["crashes.json"] = await self._crashes(left_out)
            texts |= dict(await anyio.to_thread.run_sync(lambda: list(self._logs())))
        else:
            left_out.append(
                "Logs, apps and crashes are left out, for the vault is locked: secrets in them "
                "could not be told."
            )
        parts, characters = [], 0
        for name, text in texts.items():
            clean = secrets.clean(text)
            if characters + len(clean) > MAX_CHARACTERS:
                left_out.append(f"{name} is left out, for the report would be too large.")
                continue
            characters += len(clean)
            parts.append(SupportPart(name=name, text=clean))
        return SupportReport(parts=parts, left_out=left_out)

    async def _learn(self, secrets: SecretFilter) -> bool:
        """Whether every secret of the vault is known now."""
        try:
            for value in await self._vault.secrets():
                secrets.learn(value)
        except DeskbusError:
            return False
        return True

    async def _crashes(self, left_out: list[str]) -> str:
        wanted = AuditQueryParams(types=["app.crashed", "app.limited"], limit=MAX_CRASHES)
        try:
            return _pretty(msgspec.to_builtins((await self._reader.query(wanted)).records))
        except DeskbusError as error:
            left_out.append(f"Crashes are left out: {error.message}")
            return "[]"

    def _logs(self) -> Iterator[tuple[str, str]]:
        """Blocks."""
        named = self._settings.config.logging.file
        if isinstance(named, str):
            yield "backend.log", _end_of(self._settings.data_dir / named, LOG_BYTES)
        folder = self._settings.data_dir / LOG_FOLDER
        own = None if not isinstance(named, str) else self._settings.data_dir / named
        found = [path for path in folder.glob("*.log") if path != own]
        newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
        for path in newest[:MAX_APP_LOGS]:
            yield f"apps/{path.name}", _end_of(path, APP_LOG_BYTES)


def versions() -> dict[str, object]:
    """The versions of deskbus, Python, the system, and the libraries in use."""
    # Imported late: a start needs none of it.
    from importlib import metadata

    names = metadata.requires("deskbus") or []
    libraries = {}
    for requirement in names:
        name = requirement.split(";")[0].split("[")[0].split(">")[0].split("=")[0].strip()
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            libraries[name] = "not installed"
    return {
        "deskbus": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "libraries": libraries,
    }


def without_credentials(value: Any, name: str = "") -> Any:
    """The configuration with what may be a credential hidden; names of secrets stay."""
    if isinstance(value, dict):
        hide = name in ALL_HIDDEN
        return {key: _hidden(each) if hide else without_credentials(each, key)
                for key, each in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [without_credentials(each, name) for each in value]
    return _hidden(value) if name in PRIVATE_KEYS else value


def _hidden(value: Any) -> Any:
    return value if isinstance(value, str) and value.startswith(REFERENCE) else HIDDEN


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _end_of(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            return file.read(size).decode(errors="replace")
    except OSError as error:
        return f"[it can't be read: {error.strerror}]\n"
