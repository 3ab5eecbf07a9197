"""Metrics: what every part counts, as one exposition, and the socket that it is read from."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from deskbus.config import Settings
from deskbus.observability.metrics.exposition import MetricsExposition
from deskbus.observability.metrics.metric import MetricSource
from deskbus.observability.metrics.scrape_socket import ScrapeSocket

SCRAPE_SOCKET = "metrics.sock"
"""Below the runtime folder, beside the pipe."""


class Metrics:
    """The gateway serves `exposition` at `/metrics`, too."""

    def __init__(self, settings: Settings, sources: Iterable[MetricSource]) -> None:
        self.exposition = MetricsExposition(sources)
        self._socket = None
        if settings.config.metrics.socket:
            self._socket = ScrapeSocket(settings.runtime_dir / SCRAPE_SOCKET, self.exposition)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self._socket is None:
            yield
            return
        async with self._socket.running():
            yield
