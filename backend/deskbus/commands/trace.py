"""`deskbus trace ID`: the steps of one trace, as a waterfall."""

import shutil
from argparse import Namespace
from functools import partial

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus_protocol.client import Client
from deskbus_protocol.traces import TraceResult, TraceSpan
from deskbus_protocol.wording.display import visible

BAR_COLUMNS = 40
NAME_COLUMNS = 36
INDENT = "  "
MAX_DEPTH = 12


def run(options: Namespace) -> int:
    return run_with_client(options, partial(_draw, trace_id=options.trace_id))


async def _draw(client: Client, *, trace_id: str) -> None:
    found: TraceResult = await client.call("traces.get", {"traceId": trace_id}, result=TraceResult)
    if not output.on_terminal():
        output.write(output.json_line(found))
        return
    width = shutil.get_terminal_size().columns
    output.write("".join(f"{line}\n" for line in waterfall(found, width)))


def waterfall(trace: TraceResult, width: int) -> list[str]:
    """A line a span, below its parent: when it began and how long it took, to scale."""
    lines = [f"{trace.trace_id}  {output.time_of(trace.start)}  {trace.duration:.3f} ms"]
    bar_columns = max(min(BAR_COLUMNS, width - NAME_COLUMNS - 24), 8)
    for depth, span in in_order(trace.spans):
        name = visible(f"{INDENT * min(depth, MAX_DEPTH)}{span.name}")
        if len(name) > NAME_COLUMNS:
            name = f"{name[: NAME_COLUMNS - 1]}…"
        app = str(span.attributes.get("deskbus.app", ""))
        remark = f"  {span.error}" if span.error else ""
        bar = bar_of(span, trace.duration, bar_columns)
        lines.append(
            f"{name:{NAME_COLUMNS}} {bar} {span.duration:9.3f} ms  {visible(app)}{visible(remark)}"
        )
    if trace.left_out:
        lines.append(f"{trace.left_out} spans had no room")
    return lines


def bar_of(span: TraceSpan, duration: float, columns: int) -> str:
    scale = columns / duration if duration > 0 else 0.0
    start = min(int(span.start * scale), columns - 1)
    length = max(1, min(round(span.duration * scale), columns - start))
    return f"{' ' * start}{'█' * length}{' ' * (columns - start - length)}"


def in_order(spans: list[TraceSpan]) -> list[tuple[int, TraceSpan]]:
    """Every span once, with its depth; one whose parent is not there is a root."""
    known = {span.span_id for span in spans}
    children: dict[str, list[TraceSpan]] = {}
    for span in spans:
        parent = span.parent_id if span.parent_id in known else ""
        children.setdefault(parent, []).append(span)
    ordered: list[tuple[int, TraceSpan]] = []
    waiting = [(0, span) for span in reversed(children.pop("", []))]
    while waiting or children:
        if not waiting:
            # Clients may have told spans that are each other's parents.
            parent, circle = children.popitem()
            waiting = [(0, span) for span in circle]
        depth, span = waiting.pop()
        ordered.append((depth, span))
        below = children.pop(span.span_id, [])
        waiting += [(depth + 1, child) for child in reversed(below)]
    return ordered
