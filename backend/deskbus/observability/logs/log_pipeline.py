"""Structured logs: JSON lines, or readable text, on standard error and, where wanted, in files.

A line may quote others (apps, files, servers). It moves no terminal and forges no line, also where
a shell passes the lines on to one. Secrets of the vault stand in none.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO, cast

import structlog

from deskbus.observability.logs.log_file import RotatedLogFile
from deskbus.observability.logs.log_levels import LogLevels
from deskbus.observability.logs.secret_filter import HIDDEN, SecretFilter
from deskbus.observability.logs.standard_error import StandardError
from deskbus.observability.tracing import call_trace
from deskbus_protocol.wording.display import visible

EXCEPTION = "exception"
"""The one value of several lines."""

PRIVATE = frozenset({"password", "secret", "token", "ticket", "authorization", "credentials"})
"""Members whose value is hidden, whatever it is."""

Form = Literal["auto", "json", "console"]
"""`auto` is text on a terminal, and JSON elsewhere."""

Line = MutableMapping[str, Any]

_AS_JSON = structlog.processors.JSONRenderer()
_AS_TEXT = structlog.dev.ConsoleRenderer(colors=False)


class LogPipeline:
    """The way of a line. `levels` and `secrets` may change while it runs."""

    def __init__(self, level: str = "info", *, form: Form = "auto", terminal: bool = False) -> None:
        self.levels = LogLevels(level)
        self.secrets = SecretFilter()
        self._readable = terminal if form == "auto" else form == "console"
        self._file: RotatedLogFile | None = None
        self._file_readable = False

    @property
    def file(self) -> RotatedLogFile | None:
        return self._file

    def write_to(self, file: RotatedLogFile, *, readable: bool) -> None:
        """Writes lines to a file as well."""
        self._file, self._file_readable = file, readable

    def lets_through(self, _: object, method: str, line: Line) -> Line:
        number = _NUMBERS.get(method, logging.ERROR)
        if not self.levels.lets_through(str(line.get("event", "")), number):
            raise structlog.DropEvent
        return line

    def cleaned(self, _: object, __: str, line: Line) -> Line:
        """Hides secrets; of a value that is no text, the text that it would be written as."""
        for name, value in line.items():
            if name in PRIVATE:
                line[name] = HIDDEN
            elif not (value is None or isinstance(value, bool | int | float)):
                text = value if isinstance(value, str) else repr(value)
                clean = self.secrets.clean(text)
                if clean != text:
                    line[name] = clean
        return line

    def rendered(self, logger: object, method: str, line: Line) -> str:
        if self._file is not None:
            self._file.write(_render(logger, method, dict(line), readable=self._file_readable))
        return _render(logger, method, line, readable=self._readable)


def configure(
    *, level: str = "info", form: Form = "auto", stderr: StandardError | None = None
) -> LogPipeline:
    """Lines go to `stderr`, where it is given; else to `sys.stderr`, which may block."""
    stream = cast(TextIO, stderr) if stderr is not None else sys.stderr
    pipeline = LogPipeline(level, form=form, terminal=stream.isatty())
    structlog.configure(
        processors=[
            pipeline.lets_through,
            _bind_call,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            pipeline.cleaned,
            pipeline.rendered,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    return pipeline


_NUMBERS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}


def _bind_call(_: object, __: str, line: Line) -> Line:
    """Binds the ids of the call that is being answered; ids of the line itself take precedence."""
    trace = call_trace.current()
    if trace.trace_id:
        line.setdefault("trace_id", trace.trace_id)
        line.setdefault("correlation_id", trace.correlation_id)
    caller = call_trace.caller()
    if caller:
        line.setdefault("app", caller)
    return line


def _render(logger: object, method: str, line: Line, *, readable: bool) -> str:
    if readable:
        return str(_AS_TEXT(logger, method, _shown(line)))
    # JSON in ASCII has one control character left.
    return str(_AS_JSON(logger, method, line)).replace("\x7f", "\\u007f")


def _shown(line: Line) -> Line:
    """Writes control, bidi and zero-width characters as their code points."""
    return {name: _shown_value(name, value) for name, value in line.items()}


def _shown_value(name: str, value: object) -> object:
    if name == EXCEPTION:
        return "\n".join(visible(line) for line in str(value).split("\n"))
    if value is None or isinstance(value, bool | int | float):
        return value
    return visible(value if isinstance(value, str) else repr(value))
