"""A metric as parts of the backend tell it, whatever format it is rendered in later."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from deskbus.observability.metrics.histogram import HistogramSnapshot

Kind = Literal["counter", "gauge", "histogram"]


class Sample(NamedTuple):
    """One value. Label values are from a small, known set: never a topic, a client or an id."""

    labels: Mapping[str, str]
    value: float | HistogramSnapshot


class Metric(NamedTuple):
    """`name` follows the conventions of Prometheus: base units, and no `_total`, which is added."""

    name: str
    kind: Kind
    documentation: str
    samples: list[Sample]


MetricSource = Callable[[], Iterable[Metric]]
"""Called on the event loop whenever the metrics are read; it may not wait."""


def counter(name: str, documentation: str, value: float) -> Metric:
    return Metric(name, "counter", documentation, [Sample({}, value)])


def gauge(name: str, documentation: str, value: float) -> Metric:
    return Metric(name, "gauge", documentation, [Sample({}, value)])


def by_label(
    name: str, kind: Kind, documentation: str, label: str, values: Mapping[str, float]
) -> Metric:
    samples = [Sample({label: key}, value) for key, value in values.items()]
    return Metric(name, kind, documentation, samples)


def state_set(
    name: str, documentation: str, label: str, state: str, states: Iterable[str]
) -> Metric:
    """A gauge for each state, 1 for the present one and 0 for the others."""
    return by_label(name, "gauge", documentation, label, {s: float(s == state) for s in states})


def histograms(
    name: str, documentation: str, label: str, found: Mapping[str, HistogramSnapshot]
) -> Metric:
    samples = [Sample({label: key}, snapshot) for key, snapshot in found.items()]
    return Metric(name, "histogram", documentation, samples)
