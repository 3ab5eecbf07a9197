"""BackendRun: one run of the backend, as every part of it knows it."""

import secrets
import time

import anyio

from deskbus.components.connections.link_compression import encoding_of
from deskbus.config import Settings
from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.metrics.delivery_latency import DeliveryLatency
from deskbus.reliability.loops import Loops
from deskbus.reliability.resource_shortage import ResourceShortage
from deskbus.transport.named_pipes.pipe import address
from deskbus.transport.outbox import Flusher
from deskbus.transport.traffic import TrafficCounts


class BackendRun:
    """`epoch` is the id of this run; `latency` is None where the configuration switches it off.

    The run ends once `stopping` is set.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises `ConfigError` where what the links' compression needs is not installed."""
        self.settings = settings
        self.epoch = f"{int(time.time()):x}-{secrets.token_hex(2)}"
        self.pipe = address(settings.runtime_dir)
        self.stopping = anyio.Event()
        self.shortage = ResourceShortage()
        self.loops = Loops(self.shortage)
        self.errors = ErrorCounts()
        self.traffic = TrafficCounts()
        self.latency = DeliveryLatency() if settings.config.metrics.latency else None
        self.encoding = encoding_of(settings.config.links)
        self.flusher = Flusher(self.traffic, self.latency, self.encoding)
