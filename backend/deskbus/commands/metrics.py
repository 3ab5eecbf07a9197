"""`deskbus metrics`: what a running backend counts."""

from argparse import Namespace
from functools import partial

from msgspec import UnsetType

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import MisuseError
from deskbus_protocol.client import Client
from deskbus_protocol.metrics import MetricFamily, MetricSample, MetricsResult


def run(options: Namespace) -> int:
    """Raises `MisuseError` for a name together with a text, which has all of them."""
    if options.name and options.format != "data":
        raise MisuseError("a text has all metrics, so it takes no name")
    return run_with_client(options, partial(_print, name=options.name, form=options.format))


async def _print(client: Client, *, name: str, form: str) -> None:
    found: MetricsResult = await client.call("metrics.get", {"format": form}, result=MetricsResult)
    if not isinstance(found.text, UnsetType):
        output.write(found.text)
        return
    known = [] if isinstance(found.metrics, UnsetType) else found.metrics
    wanted = [metric for metric in known if name in metric.name]
    output.emit(wanted, rows(wanted))


def rows(metrics: list[MetricFamily]) -> list[list[str]]:
    """A row a value; of a histogram the number of observations and its quantiles."""
    table = [["METRIC", "LABELS", "VALUE"]]
    for metric in metrics:
        for sample in metric.samples:
            labels = " ".join(f"{name}={value}" for name, value in sample.labels.items())
            table.append([metric.name, labels, _value(sample)])
    return table


def _value(sample: MetricSample) -> str:
    quantiles = {} if isinstance(sample.quantiles, UnsetType) else sample.quantiles
    words = (f"  {name} {_seconds(value_s)}" for name, value_s in quantiles.items())
    return f"{sample.value:.10g}" + "".join(words)


def _seconds(value_s: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if value_s >= scale:
            return f"{value_s / scale:.3g} {unit}"
    return f"{value_s * 1e6:.3g} µs"
