"""Structured logs on standard error: JSON lines, or readable text on a terminal.

What others say (apps, files, servers) may stand in a line. It moves no terminal and forges no line,
also where a shell passes the lines on to one.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

from deskbus.observability.standard_error import StandardError
from deskbus_protocol.display import visible

EXCEPTION = "exception"
"""The one value of several lines."""

_AS_JSON = structlog.processors.JSONRenderer()


def configure(*, level: str = "info", stderr: StandardError | None = None) -> None:
    """Lines go to `stderr`, where it is given; else to `sys.stderr`, which may block."""
    stream = cast(TextIO, stderr) if stderr is not None else sys.stderr
    readable = [_shown, structlog.dev.ConsoleRenderer(colors=False)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *(readable if stream.isatty() else [_json_line]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def _shown(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Writes control, bidi and zero-width characters as their code points."""
    return {name: _shown_value(name, value) for name, value in event.items()}


def _shown_value(name: str, value: object) -> object:
    if name == EXCEPTION:
        return "\n".join(visible(line) for line in str(value).split("\n"))
    if value is None or isinstance(value, bool | int | float):
        return value
    return visible(value if isinstance(value, str) else repr(value))


def _json_line(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
    """JSON in ASCII has one control character left."""
    return str(_AS_JSON(logger, method, event)).replace("\x7f", "\\u007f")
