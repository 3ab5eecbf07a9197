"""`metrics.*`: what is counted and measured, for tools and for Prometheus."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.method import Method, Params, Result


class MetricBucket(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Observations up to `le`, those of the buckets before among them; null is no upper bound.

    `trace_id` is of one of the newest observations that this bucket alone has.
    """

    le: float | None
    count: int
    trace_id: str | UnsetType = UNSET


class MetricSample(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A `value`; of a histogram the number of observations, with `sum`, `buckets` and estimates
    of its quantiles (`p50`, `p95`, `p99`), which are left out while there is no observation.
    """

    labels: dict[str, str]
    value: float
    sum: float | UnsetType = UNSET
    buckets: list[MetricBucket] | UnsetType = UNSET
    quantiles: dict[str, float] | UnsetType = UNSET


class MetricFamily(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    documentation: str
    samples: list[MetricSample]


class MetricsParams(Params, frozen=True, kw_only=True):
    """`data` is read by programs; the others are texts that Prometheus reads."""

    format: Literal["data", "prometheus", "openmetrics"] = "data"


class MetricsResult(Result, frozen=True, kw_only=True):
    """`metrics` for `data`; else `text`, and the `content_type` to serve it as."""

    metrics: list[MetricFamily] | UnsetType = UNSET
    text: str | UnsetType = UNSET
    content_type: str | UnsetType = UNSET


METHODS = (
    Method(
        name="metrics.get",
        summary="All metrics as of now.",
        params=MetricsParams,
        result=MetricsResult,
        callers="shell",
        permission="control.view",
    ),
)
