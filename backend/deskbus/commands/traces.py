"""`deskbus traces`: the recent traces of a running backend."""

from argparse import Namespace
from functools import partial

from deskbus.commands.arguments.times import unix_ms
from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import MisuseError
from deskbus_protocol.client import Client
from deskbus_protocol.traces import TraceSummaries, TraceSummary

SWITCHED_OFF = "deskbus: tracing is off; [tracing] enabled = true switches it on"


def run(options: Namespace) -> int:
    """Raises `MisuseError` for a time that is none."""
    named = {"traceId": options.trace_id, "correlationId": options.correlation_id}
    named |= {"app": options.app, "topic": options.topic, "minDuration": options.longer_than}
    params: dict[str, object] = {name: value for name, value in named.items() if value}
    if options.errors:
        params["error"] = True
    try:
        if options.since:
            params["since"] = unix_ms(options.since)
        if options.until:
            params["until"] = unix_ms(options.until)
    except ValueError as error:
        raise MisuseError(str(error)) from None
    params["limit"] = options.limit
    return run_with_client(options, partial(_list, params=params))


async def _list(client: Client, *, params: dict[str, object]) -> None:
    found: TraceSummaries = await client.call("traces.query", params, result=TraceSummaries)
    if not found.enabled:
        output.tell(SWITCHED_OFF)
    output.emit(found.traces, rows(found.traces))


def rows(traces: list[TraceSummary]) -> list[list[str]]:
    table = [["TRACE", "STARTED", "TOOK", "SPANS", "APP", "NAME", ""]]
    for trace in traces:
        remark = trace.error or ("incomplete" if trace.incomplete else "")
        table.append(
            [
                trace.trace_id,
                output.time_of(trace.start),
                f"{trace.duration:.3f} ms",
                str(trace.spans),
                trace.app,
                trace.name,
                remark,
            ]
        )
    return table
