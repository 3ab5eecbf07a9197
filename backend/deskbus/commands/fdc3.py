"""`deskbus fdc3`: channels, contexts, intents, and who got what."""

from argparse import Namespace
from datetime import UTC, datetime

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus_protocol.audit import AuditPage
from deskbus_protocol.client import Client
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import Fdc3Channels, Fdc3Contexts, Fdc3Intents, Fdc3Trace


def run(options: Namespace) -> int:
    async def show(client: Client) -> None:
        if options.what == "channels":
            channels: Fdc3Channels = await client.call("fdc3.channels", result=Fdc3Channels)
            output.emit(channels, channel_rows(channels))
        elif options.what == "contexts":
            wanted = {} if options.channel is None else {"channel": options.channel}
            contexts: Fdc3Contexts = await client.call("fdc3.contexts", wanted, result=Fdc3Contexts)
            output.emit(contexts, context_rows(contexts))
        elif options.what == "intents":
            intents: Fdc3Intents = await client.call("fdc3.intents", result=Fdc3Intents)
            output.emit(intents, intent_rows(intents))
        elif options.what == "who":
            query = {"types": ["fdc3.delivered"], "correlationId": options.trace}
            seen: AuditPage = await client.call("audit.query", query, result=AuditPage)
            output.emit(seen, who_rows(seen))
        else:
            asked = {} if options.trace is None else {"traceId": options.trace}
            trace: Fdc3Trace = await client.call("fdc3.trace", asked, result=Fdc3Trace)
            output.emit(trace, trace_rows(trace))

    return run_with_client(options, show)


def channel_rows(found: Fdc3Channels) -> list[list[str]]:
    """A table of channels: the headings, then a row for each."""
    table = [["CHANNEL", "TYPE", "NAME", "APPS", "LISTENERS", "CONTEXTS"]]
    for each in found.channels:
        counts = [str(len(each.members)), str(len(each.listeners))]
        table.append([each.id, each.type, each.name, *counts, ", ".join(each.context_types)])
    return table


def context_rows(found: Fdc3Contexts) -> list[list[str]]:
    table = [["CHANNEL", "TYPE", "FROM", "AT", "TRACE", "CONTEXT"]]
    for each in found.contexts:
        context = bytes(each.context).decode()
        origin, at = _client(each.source), _time(each.timestamp)
        table.append([each.channel, each.type, origin, at, each.trace_id, context])
    return table


def intent_rows(found: Fdc3Intents) -> list[list[str]]:
    table = [["INTENT", "APPS", "LISTENING"]]
    for each in found.intents:
        listening = ", ".join(f"{one.app} {one.instance_id}" for one in each.listeners)
        table.append([each.intent, ", ".join(each.apps), listening or "–"])
    return table


def trace_rows(found: Fdc3Trace) -> list[list[str]]:
    table = [["AT", "WHAT", "FROM", "TO", "CONTEXT", "WHERE", "TRACE"]]
    for each in found.entries:
        to = ", ".join(_client(one) for one in each.to) or "–"
        where = each.intent or each.channel or each.detail
        what = [each.kind, _client(each.source), to, each.context_type, where, each.trace_id]
        table.append([_time(each.timestamp), *what])
    return table


def who_rows(found: AuditPage) -> list[list[str]]:
    """A table of those who saw a context, read from the audit log for as long as that is kept."""
    table = [["AT", "FROM", "ALLOWED BY", "CONTEXT", "WHERE", "SEEN BY (WHY)"]]
    for each in found.records:
        told = {name: str(value) for name, value in each.details.items()}
        sender = f"{each.app}/{each.client}"
        where = told.get("intent") or told.get("channel") or told.get("kind", "")
        what = [told.get("allowedBy", ""), told.get("contextType", ""), where]
        table.append([_time(each.time), sender, *what, told.get("readers") or "nobody"])
    return table


def _client(identity: ClientId) -> str:
    return f"{identity.app}/{identity.client}"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
