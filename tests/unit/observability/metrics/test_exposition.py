"""The texts that Prometheus reads, as its own client's parsers understand them."""

import sys
from collections.abc import Iterable

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from deskbus.observability.metrics.exposition import MetricsExposition
from deskbus.observability.metrics.histogram import Histogram
from deskbus.observability.metrics.metric import Metric, Sample, by_label, counter
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ASKS_FOR_OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


def delays() -> Iterable[Metric]:
    times = Histogram((0.1, 1.0))
    times.observe(0.05)
    times.observe(0.5, TRACE)
    yield Metric(
        "deskbus_delivery_seconds", "histogram", "D.", [Sample({"mode": "live"}, times.snapshot())]
    )


def traffic() -> Iterable[Metric]:
    yield counter("deskbus_messages_received", "Messages.", 3)
    yield by_label("deskbus_links", "gauge", "Links.", "transport", {"pipe": 2, "stdio": 1})


def broken() -> Iterable[Metric]:
    yield counter("deskbus_never_told", "N.", 1)
    raise RuntimeError("a service in trouble")


def test_prometheus_reads_counters_gauges_and_histograms() -> None:
    content_type, body = MetricsExposition([traffic, delays]).render()
    assert content_type.startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in prometheus(body.decode())
        for sample in family.samples
    }
    assert found["deskbus_messages_received_total",] == 3
    assert found["deskbus_links", ("transport", "pipe")] == 2
    assert found["deskbus_delivery_seconds_bucket", ("le", "0.1"), ("mode", "live")] == 1
    assert found["deskbus_delivery_seconds_bucket", ("le", "+Inf"), ("mode", "live")] == 2
    assert found["deskbus_delivery_seconds_sum", ("mode", "live")] == pytest.approx(0.55)


def test_without_the_library_there_is_data_and_text_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    exposition = MetricsExposition([traffic])
    assert exposition.gather()
    with pytest.raises(DeskbusError) as refused:
        exposition.text("openmetrics")
    assert refused.value.kind is UNAVAILABLE
    assert "deskbus[metrics]" in refused.value.action


def test_openmetrics_has_the_trace_of_an_observation() -> None:
    content_type, body = MetricsExposition([delays]).render(ASKS_FOR_OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    exemplars = [
        sample.exemplar
        for family in openmetrics(body.decode())
        for sample in family.samples
        if sample.exemplar
    ]
    assert [(each.labels, each.value) for each in exemplars] == [({"trace_id": TRACE}, 0.5)]


def test_a_source_that_fails_is_counted_and_hides_none_of_the_others() -> None:
    exposition = MetricsExposition([broken, traffic])
    for failures in (1, 2):
        values = {metric.name: metric.samples for metric in exposition.gather()}
        assert "deskbus_messages_received" in values
        assert values["deskbus_metrics_source_failures"][0].value == failures


def test_what_other_libraries_count_for_the_process_stays_out() -> None:
    from prometheus_client import Counter

    Counter("somebody_elses", "A counter in the registry of the process.").inc()
    _, body = MetricsExposition([traffic]).render()
    assert b"somebody_elses" not in body
    assert b"process_resident_memory_bytes" in body
