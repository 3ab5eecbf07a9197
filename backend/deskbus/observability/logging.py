"""Structured logs on standard error: JSON lines, or readable text on a terminal."""

import logging
import sys
from typing import TextIO, cast

import structlog

from deskbus.observability.stderr import StandardError


def configure(*, level: str = "info", stderr: StandardError | None = None) -> None:
    """Lines go to `stderr`, where it is given; else to `sys.stderr`, which may block."""
    stream = cast(TextIO, stderr) if stderr is not None else sys.stderr
    terminal = stream.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False)
            if terminal
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
