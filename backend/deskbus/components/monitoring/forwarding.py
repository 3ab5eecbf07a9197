"""Forwarding: audit records and alerts, streamed to the company's own systems."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType

from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.monitoring.tracing import check_installed
from deskbus.config import ForwardConfig
from deskbus.observability.forwarding.alert import Alert
from deskbus.observability.forwarding.bookmark import ForwardBookmark
from deskbus.observability.forwarding.destination import Destination
from deskbus.observability.forwarding.forwarder import Forwarder, NewRecords
from deskbus.reliability.health_monitor import Check
from deskbus.storage.clocks import ClockMs, SteadyClock
from deskbus.vault.service import VaultService
from deskbus_protocol.audit import AuditPage, AuditQueryParams
from deskbus_protocol.health import ComponentHealth

FOLDER = "forward"
SYSLOG_PORT = 6514
"""The port of syslog over TLS (RFC 5425, section 4.1)."""


class AuditQueries(Protocol):
    async def query(self, params: AuditQueryParams) -> AuditPage: ...


class Forwarding:
    def __init__(
        self,
        run: BackendRun,
        auditing: Auditing,
        vault: VaultService,
        clock_ms: ClockMs | None = None,
    ) -> None:
        """Raises `ConfigError` where what an export needs is not installed."""
        self._loops = run.loops
        self._clock_ms = clock_ms or SteadyClock()
        folder = run.settings.data_dir / FOLDER
        self.forwarders = [
            Forwarder(
                wanted.name,
                _destination(wanted, run.settings.folder, vault, run.epoch),
                ForwardBookmark(folder, wanted.name),
                newest=lambda: auditing.trail.size - 1,
                read=partial(_read, auditing.reader, wanted),
                with_alerts=wanted.alerts,
                from_beginning=wanted.since == "beginning",
            )
            for wanted in run.settings.config.forward
        ]

    @property
    def checks(self) -> Mapping[str, Check]:
        return {f"forward:{each.name}": each.health for each in self.forwarders}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for each in self.forwarders:
                await stack.enter_async_context(self._loops.running(each.run))
            yield

    def health_changed(self, component: str, health: ComponentHealth) -> None:
        """Told to all destinations that want alerts."""
        detail = "" if isinstance(health.detail, UnsetType) else health.detail
        alert = Alert(self._clock_ms(), component, health.status, detail)
        for each in self.forwarders:
            each.alert(alert)


async def _read(reader: AuditQueries, wanted: ForwardConfig, behind: int, limit: int) -> NewRecords:
    page = await reader.query(
        AuditQueryParams(
            types=list(wanted.types),
            apps=list(wanted.apps),
            severities=list(wanted.severities),
            order="oldest",
            limit=limit,
            cursor=UNSET if behind < 0 else behind,
        )
    )
    looked = page.total - 1 if isinstance(page.cursor, UnsetType) else page.cursor
    return NewRecords(page.records, max(looked, behind))


def _destination(
    wanted: ForwardConfig, folder: Path, vault: VaultService, epoch: str
) -> Destination:
    # Each here, so that a backend without it starts without HTTP and TLS.
    place = urlsplit(wanted.to)
    if place.scheme != "syslog+tls":
        check_installed(f"forward {wanted.name}")
        from deskbus.observability.forwarding.otlp_destination import OtlpDestination

        return OtlpDestination(wanted.to, epoch=epoch, headers=_resolver(vault, wanted.headers))

    from deskbus.observability.forwarding.syslog_destination import SyslogDestination

    def path(name: str | UnsetType) -> Path | None:
        return None if isinstance(name, UnsetType) else folder / name

    return SyslogDestination(
        place.hostname or "",
        place.port or SYSLOG_PORT,
        epoch=epoch,
        ca=path(wanted.tls_ca),
        certificate=path(wanted.tls_cert),
        key=path(wanted.tls_key),
    )


def _resolver(
    vault: VaultService, headers: Mapping[str, str]
) -> Callable[[], Awaitable[Mapping[str, str]]]:
    async def resolve() -> Mapping[str, str]:
        return {name: await vault.resolve(value) for name, value in headers.items()}

    return resolve
