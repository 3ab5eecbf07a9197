"""The constants that the TypeScript sources share, as `export` writes them there."""

import ast
import inspect
from itertools import pairwise
from types import ModuleType
from typing import NamedTuple

from deskbus_protocol import (
    appenv,
    apps,
    bus,
    fdc3,
    reconnection,
    secrets,
    session,
    ui,
    utility,
    web,
)
from deskbus_protocol.wire import encoding, framing, jsontext, line


class Constant(NamedTuple):
    """A number or a text under its TypeScript name; `summary` is its docstring, or empty."""

    name: str
    value: int | str
    summary: str


SHARED: dict[ModuleType, tuple[str, ...]] = {
    apps: ("MAX_TROUBLE_CHARACTERS",),
    bus: (
        "DEFAULT_REQUEST_TIMEOUT_MS",
        "DIRECTED_SEQ",
        "MAX_ACKNOWLEDGED_SEQS",
        "MAX_FAULT_CHARACTERS",
        "MAX_REDELIVERIES",
        "MAX_REQUEST_TIMEOUT_MS",
        "MAX_RUNS",
        "MAX_SOURCES",
        "MAX_UNACKNOWLEDGED",
        "REQUEST_PATIENCE_MS",
    ),
    encoding: ("MIN_ENCODED_BYTES", "WORTHWHILE_RATIO"),
    framing: ("MAX_FRAME_BYTES", "MAX_DELIVERED_FRAME_BYTES", "MAX_HEADER_BYTES"),
    jsontext: ("MAX_DEPTH",),
    session: ("MAX_LAST_SEQS",),
    reconnection: (
        "FIRST_RETRY_MS",
        "HEARTBEAT_DEADLINE_MS",
        "HEARTBEAT_INTERVAL_MS",
        "LAST_RETRY_MS",
        "LAST_WORDS_MS",
        "LEAVE_LIMIT_MS",
        "MAX_QUEUED_CALLS",
        "MAX_QUEUED_SIZE",
        "SESSION_GRACE_MS",
    ),
    line: (
        "MESSAGE_HEAD",
        "CORRELATION",
        "EPOCH",
        "ID",
        "PAYLOAD",
        "SENDER",
        "SEQ",
        "TIMESTAMP",
        "TOPIC",
    ),
    fdc3: (
        "AGENT_APP",
        "EXCHANGE_TIMEOUT_MS",
        "INBOX_TOPICS",
        "LAUNCH_TIMEOUT_MS",
        "PERSON_PATIENCE_MS",
    ),
    ui: ("ALLOW_DELAY_MS",),
    secrets: ("MAX_PASSWORD_CHARACTERS",),
    web: ("FILES_ORIGIN", "MAX_REPORT_CHARACTERS", "SHELL_REPORT_URL"),
    utility: ("MAX_OUTPUT_CHARACTERS",),
    appenv: ("APP_VARIABLE", "PIPE_VARIABLE", "TICKET_FD_VARIABLE", "LIFE_FD_VARIABLE"),
}
"""Of each module, the names of those constants."""

RENAMED = {
    "AGENT_APP": "FDC3_AGENT_APP",
    "EXCHANGE_TIMEOUT_MS": "FDC3_EXCHANGE_TIMEOUT_MS",
    "INBOX_TOPICS": "FDC3_INBOX_TOPICS",
    "LAUNCH_TIMEOUT_MS": "FDC3_LAUNCH_TIMEOUT_MS",
    "PERSON_PATIENCE_MS": "FDC3_PATIENCE_MS",
    "CORRELATION": "CORRELATION_MEMBER",
    "EPOCH": "EPOCH_MEMBER",
    "ID": "ID_MEMBER",
    "PAYLOAD": "PAYLOAD_MEMBER",
    "SENDER": "SENDER_MEMBER",
    "SEQ": "SEQ_MEMBER",
    "TIMESTAMP": "TIMESTAMP_MEMBER",
    "TOPIC": "MESSAGE_TOPIC_HEAD",
}
"""TypeScript imports names without their module, so these say there what they are."""


def constants() -> list[Constant]:
    """All of them, in the order of `SHARED`."""
    return [
        Constant(RENAMED.get(name, name), _plain(getattr(module, name)), summaries.get(name, ""))
        for module, names in SHARED.items()
        for summaries in (_summaries(module),)
        for name in names
    ]


def _plain(value: int | str | bytes) -> int | str:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _summaries(module: ModuleType) -> dict[str, str]:
    """The string below each assignment of a module, which Python itself does not keep."""
    body = ast.parse(inspect.getsource(module)).body
    return {
        assigned.targets[0].id: inspect.cleandoc(string.value.value)
        for assigned, string in pairwise(body)
        if isinstance(assigned, ast.Assign)
        and isinstance(assigned.targets[0], ast.Name)
        and isinstance(string, ast.Expr)
        and isinstance(string.value, ast.Constant)
        and isinstance(string.value.value, str)
    }
