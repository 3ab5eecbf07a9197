"""Metrics: the metrics of every part, as one exposition, and the socket that it is read from."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from msgspec import UnsetType

from deskbus.config import ConfigError, Settings
from deskbus.observability.metrics.exposition import MetricsExposition
from deskbus.observability.metrics.metric import MetricSource
from deskbus.observability.metrics.scrape_socket import ScrapeSocket

SCRAPE_SOCKET = "metrics.sock"
"""The socket's name in the runtime folder, beside the pipe."""


class Metrics:
    """The gateway serves `exposition` at `/metrics`, too."""

    def __init__(self, settings: Settings, sources: Iterable[MetricSource]) -> None:
        """Raises `ConfigError` where Prometheus is to read, and what writes for it is missing."""
        self.exposition = MetricsExposition(sources)
        config = settings.config.metrics
        at_gateway = bool(config.scrapers) or not isinstance(config.token, UnsetType)
        served = config.socket or at_gateway
        if served and not self.exposition.has_text():
            raise ConfigError("[metrics] needs its library: pip install 'deskbus[metrics]'")
        self._socket = None
        if config.socket:
            self._socket = ScrapeSocket(settings.runtime_dir / SCRAPE_SOCKET, self.exposition)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self._socket is None:
            yield
            return
        async with self._socket.running():
            yield
