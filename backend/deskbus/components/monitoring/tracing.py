"""Tracing: traces are sampled, kept for a while, and sent to a collector."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from deskbus.components.backend_run import BackendRun
from deskbus.config import ConfigError
from deskbus.languages.health_words import phrase, told
from deskbus.observability.tracing.sampling import HeadSampler
from deskbus.observability.tracing.span import Span
from deskbus.observability.tracing.trace_ring import TraceRing
from deskbus.observability.tracing.tracer import Recorder, Tracer
from deskbus.vault.service import VaultService
from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.traces import TracingTerms

if TYPE_CHECKING:
    from deskbus.observability.tracing.otlp_exporter import OtlpExporter

MARKED_PER_SAMPLED = 10
"""Messages that clients have marked, for each that may be sampled here."""

TRACES_PATH = "/v1/traces"


class Tracing:
    """`tracer` is None where tracing is off, and `exporter` where no collector is named."""

    def __init__(self, run: BackendRun, vault: VaultService) -> None:
        """Raises `ConfigError` where what the export needs is not installed."""
        config = run.settings.config.tracing
        self._loops = run.loops
        self._vault = vault
        self._config = config
        self.ring = TraceRing()
        self.tracer: Tracer | None = None
        self.exporter: OtlpExporter[Span] | None = None
        if not config.enabled:
            return
        recorders: list[Recorder] = [self.ring.add]
        if not isinstance(config.endpoint, UnsetType):
            check_installed("tracing.endpoint")
            url = config.endpoint.rstrip("/") + TRACES_PATH
            self.exporter = self._exporter(url, run.epoch)
            recorders.append(self.exporter.put)
        sampler = HeadSampler(config.ratio, config.topics, max_per_s=config.max_per_s)
        # Steps of one trace, of several clients, that each keep to the terms.
        marked = HeadSampler(0.0, max_per_s=MARKED_PER_SAMPLED * config.max_per_s)
        self.tracer = Tracer(sampler, recorders, slow_ns=config.slow_ms * 1_000_000, marked=marked)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Exports spans; the last ones are sent before it ends, if the collector takes them at
        once.
        """
        if self.exporter is None:
            yield
            return
        async with self._loops.running(self.exporter.run):
            yield
        await self.exporter.flush()

    def terms(self) -> TracingTerms | UnsetType:
        """The sampling terms for clients, which sample the traces that they begin."""
        if self.tracer is None:
            return UNSET
        return TracingTerms(
            ratio=self._config.ratio,
            topics=list(self._config.topics),
            max_per_s=self._config.max_per_s,
        )

    def health(self) -> ComponentHealth:
        if self.tracer is None:
            return told("off", phrase("off"))
        if self.exporter is None:
            return told("ok", phrase("traces", count=len(self.ring)))
        return self.exporter.health()

    def _exporter(self, url: str, epoch: str) -> "OtlpExporter[Span]":
        # Here, so that a backend without a collector starts without HTTP.
        from deskbus.observability.tracing.otlp_exporter import OtlpExporter
        from deskbus.observability.tracing.otlp_spans import span_encoder

        return OtlpExporter("traces", url, span_encoder(epoch), self._headers)

    async def _headers(self) -> Mapping[str, str]:
        return {
            name: await self._vault.resolve(value) for name, value in self._config.headers.items()
        }


def check_installed(place: str) -> None:
    """Raises `ConfigError`."""
    if find_spec("opentelemetry") is None:
        raise ConfigError(f"{place} needs OpenTelemetry's SDK: pip install 'deskbus[otel]'")
