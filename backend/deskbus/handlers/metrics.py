"""`metrics.*`."""

from collections.abc import Mapping

from msgspec import UNSET

from deskbus.observability.metrics.exposition import MetricsExposition
from deskbus.observability.metrics.histogram import HistogramSnapshot
from deskbus.observability.metrics.metric import Metric, Sample
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.metrics import (
    MetricBucket,
    MetricFamily,
    MetricSample,
    MetricsParams,
    MetricsResult,
)

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def handlers(metrics: MetricsExposition) -> Mapping[str, Handler]:
    async def get(_: Call, params: MetricsParams) -> MetricsResult:
        if params.format == "data":
            return MetricsResult(metrics=[_family(metric) for metric in metrics.gather()])
        content_type, body = metrics.text(params.format)
        return MetricsResult(text=body.decode(), content_type=content_type)

    return {"metrics.get": get}


def _family(metric: Metric) -> MetricFamily:
    return MetricFamily(
        name=metric.name,
        kind=metric.kind,
        documentation=metric.documentation,
        samples=[_sample(sample) for sample in metric.samples],
    )


def _sample(sample: Sample) -> MetricSample:
    labels, value = dict(sample.labels), sample.value
    if not isinstance(value, HistogramSnapshot):
        return MetricSample(labels=labels, value=value)
    buckets, total = [], 0
    for bound, count, point in zip(
        (*value.bounds, None), value.counts, value.exemplars, strict=True
    ):
        total += count
        trace_id = UNSET if point is None else point.trace_id
        buckets.append(MetricBucket(le=bound, count=total, trace_id=trace_id))
    quantiles = {name: value.quantile_s(q) for name, q in QUANTILES.items()} if total else UNSET
    return MetricSample(
        labels=labels, value=total, sum=value.sum_s, buckets=buckets, quantiles=quantiles
    )
