"""MetricsExposition: all metrics at one moment, as data, or as text for Prometheus.

Text follows Prometheus' exposition format 0.0.4, or OpenMetrics 1.0.0, which has exemplars too.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import structlog

from deskbus.observability.metrics.histogram import HistogramSnapshot
from deskbus.observability.metrics.metric import Metric, MetricSource, counter
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family

TextFormat = Literal["prometheus", "openmetrics"]
OPENMETRICS = "application/openmetrics-text"

log = structlog.get_logger()


class MetricsExposition:
    """Reads `sources` anew for each scrape.

    A source that fails is left out and counted, and the others are served.
    """

    def __init__(self, sources: Iterable[MetricSource]) -> None:
        self._sources = tuple(sources)
        self._failures = 0
        self._registry: CollectorRegistry | None = None

    def gather(self) -> list[Metric]:
        found: list[Metric] = []
        for source in self._sources:
            try:
                found += source()
            except Exception:  # one part's fault must not hide the others' metrics
                log.exception("metrics.source_failed")
                self._failures += 1
        found.append(
            counter(
                "deskbus_metrics_source_failures",
                "Parts of the metrics that could not be read.",
                self._failures,
            )
        )
        return found

    @staticmethod
    def has_text() -> bool:
        """Whether the library for text formats is installed; data needs none."""
        return find_spec("prometheus_client") is not None

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """The content type and the body for an HTTP `Accept` header; raises as `text` does."""
        return self.text("openmetrics" if OPENMETRICS in accept else "prometheus")

    def text(self, kind: TextFormat) -> tuple[str, bytes]:
        """The content type, and the text in UTF-8.

        Raises `DeskbusError` (unavailable) where the library for it is not installed.
        """
        if not self.has_text():
            raise DeskbusError(
                UNAVAILABLE,
                "Prometheus' client is not installed, which writes metrics as text.",
                action="Install it: pip install 'deskbus[metrics]'. The format data needs nothing.",
            )
        if kind == "openmetrics":
            from prometheus_client.openmetrics import exposition as openmetrics

            return openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest(self.registry)
        from prometheus_client import exposition

        return exposition.CONTENT_TYPE_PLAIN_0_0_4, exposition.generate_latest(self.registry)

    @property
    def registry(self) -> "CollectorRegistry":
        """A registry of our own, unaffected by libraries that count into the process-wide one."""
        if self._registry is None:
            # Imported when somebody reads: a start does not need it.
            from prometheus_client import CollectorRegistry, ProcessCollector

            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(_Collector(self))
            ProcessCollector(registry=self._registry)
        return self._registry


class _Collector:
    """The collector that prometheus_client asks at each reading."""

    def __init__(self, exposition: MetricsExposition) -> None:
        self._exposition = exposition

    def describe(self) -> Iterable["Family"]:
        return ()

    def collect(self) -> Iterator["Family"]:
        for metric in self._exposition.gather():
            yield _family(metric)


def _family(metric: Metric) -> "Family":
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    names = list(metric.samples[0].labels) if metric.samples else []
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.documentation, labels=names)
        for labels, value in metric.samples:
            assert isinstance(value, HistogramSnapshot)
            histogram.add_metric(_values(labels), _buckets(value), value.sum_s)
        return histogram
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.documentation, labels=names)
    for labels, value in metric.samples:
        assert not isinstance(value, HistogramSnapshot)
        family.add_metric(_values(labels), value)
    return family


def _values(labels: Mapping[str, str]) -> list[str]:
    return list(labels.values())


def _buckets(found: HistogramSnapshot) -> list[tuple[object, ...]]:
    """Cumulative counts by upper bound, with exemplars as OpenMetrics has them."""
    from prometheus_client.samples import Exemplar
    from prometheus_client.utils import floatToGoString

    total = 0
    buckets: list[tuple[object, ...]] = []
    bounds = (*found.bounds, float("inf"))
    for bound, count, point in zip(bounds, found.counts, found.exemplars, strict=True):
        total += count
        exemplar = None if point is None else Exemplar({"trace_id": point.trace_id}, point.value_s)
        buckets.append((floatToGoString(bound), total, exemplar))
    return buckets
